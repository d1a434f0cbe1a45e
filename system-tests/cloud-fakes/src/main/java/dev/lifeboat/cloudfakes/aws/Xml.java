// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.util.Collection;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Writes the answers of EC2. One thread. */
final class Xml {
    private final StringBuilder text = new StringBuilder();

    Xml value(String name, Object value) {
        text.append('<').append(name).append('>').append(escape(String.valueOf(value)));
        text.append("</").append(name).append('>');
        return this;
    }

    Xml in(String name, Consumer<Xml> inner) {
        text.append('<').append(name).append('>');
        inner.accept(this);
        text.append("</").append(name).append('>');
        return this;
    }

    <T> Xml items(String name, Collection<T> items, BiConsumer<Xml, T> each) {
        return in(name, set -> items.forEach(item -> set.in("item", xml -> each.accept(xml, item))));
    }

    Xml tags(Map<String, String> tags) {
        return items(
                "tagSet",
                tags.entrySet(),
                (xml, tag) -> xml.value("key", tag.getKey()).value("value", tag.getValue()));
    }

    /** What another one has written. */
    Xml raw(String written) {
        text.append(written);
        return this;
    }

    static String escape(String value) {
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
