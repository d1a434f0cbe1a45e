// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** Opens a store by URL: {@code dir:/path} or {@code s3://bucket/prefix}. Azure Blob and GCS will be further cases. */
public final class ObjectStores {
    private static final String DIRECTORY = "dir:";
    private static final String S3 = "s3://";

    private ObjectStores() {}

    /**
     * @param endpoint of an S3 server that is not AWS, such as {@code http://10.0.0.1:9000}
     * @param region of the bucket; the environment's when absent
     * @throws StoreException when the URL is not understood or a directory cannot be used; S3 is first called when the
     *     store is first used
     */
    public static ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
        if (url.startsWith(DIRECTORY)) {
            return new DirectoryObjectStore(directory(url));
        }
        if (url.startsWith(S3)) {
            return S3ObjectStore.open(url, endpoint, region);
        }
        throw new StoreException("'" + url + "' is no store: use dir:/path or s3://bucket/prefix");
    }

    /** As {@link #open}, but for tools that look at a store: a directory must be there, and nothing is created. */
    public static ObjectStore openExisting(String url, Optional<String> endpoint, Optional<String> region) {
        return url.startsWith(DIRECTORY)
                ? DirectoryObjectStore.openExisting(directory(url))
                : open(url, endpoint, region);
    }

    private static Path directory(String url) {
        try {
            Path path = Path.of(url.substring(DIRECTORY.length()));
            if (path.isAbsolute()) {
                return path.normalize();
            }
        } catch (InvalidPathException e) {
            throw new StoreException("'" + url + "' names no directory: " + e.getMessage(), e);
        }
        throw new StoreException("'" + url + "' names no directory: write the whole path, as in dir:/var/lib/lifeboat");
    }
}
