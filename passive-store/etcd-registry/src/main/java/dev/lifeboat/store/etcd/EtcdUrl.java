// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import dev.lifeboat.store.StoreException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code etcd://host:port[,host:port...]/prefix}.
 *
 * @param members at least one, as {@code host:port}
 * @param prefix of all keys, without slashes at its ends; may be empty
 */
record EtcdUrl(List<String> members, String prefix) {
    private static final Pattern URL = Pattern.compile(
            "etcd://([A-Za-z0-9.-]+:[0-9]{1,5}(?:,[A-Za-z0-9.-]+:[0-9]{1,5})*)(?:/([A-Za-z0-9._/-]*))?");

    static EtcdUrl parse(String url) {
        Matcher matcher = URL.matcher(url);
        if (!matcher.matches()) {
            throw new StoreException("'" + url.replaceAll("//.*@", "//...@")
                    + "' names no etcd: use etcd://host:port[,host:port...]/prefix");
        }
        String prefix = matcher.group(2) == null ? "" : matcher.group(2).replaceAll("^/+|/+$", "");
        return new EtcdUrl(List.of(matcher.group(1).split(",")), prefix);
    }

    String[] endpoints() {
        return members.stream().map(member -> "http://" + member).toArray(String[]::new);
    }

    String key(String name) {
        return prefix.isEmpty() ? name : prefix + "/" + name;
    }

    @Override
    public String toString() {
        return "etcd://" + String.join(",", members) + "/" + prefix;
    }
}
