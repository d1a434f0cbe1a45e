// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import java.util.List;
import java.util.Optional;
import software.amazon.awssdk.services.ec2.model.Filter;
import software.amazon.awssdk.services.ec2.model.ResourceType;
import software.amazon.awssdk.services.ec2.model.Tag;
import software.amazon.awssdk.services.ec2.model.TagSpecification;

/** The tags by which instances, volumes and launch templates are found again. Any thread. */
final class AwsTags {
    static final String FLEET = "lifeboat:fleet";
    static final String TOKEN = "lifeboat:token";

    private AwsTags() {}

    static List<Tag> of(String fleet, String token) {
        return List.of(tag("Name", "lifeboat-" + fleet), tag(FLEET, fleet), tag(TOKEN, token));
    }

    static TagSpecification on(ResourceType type, String fleet, String token) {
        return TagSpecification.builder()
                .resourceType(type)
                .tags(of(fleet, token))
                .build();
    }

    static Filter filter(String key, String value) {
        return Filter.builder().name("tag:" + key).values(value).build();
    }

    static Optional<String> value(List<Tag> tags, String key) {
        return tags.stream()
                .filter(tag -> tag.key().equals(key))
                .map(Tag::value)
                .findFirst();
    }

    private static Tag tag(String key, String value) {
        return Tag.builder().key(key).value(value).build();
    }
}
