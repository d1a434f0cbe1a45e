// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Opens a store by URL: {@code dir:/path} and {@code s3://bucket/prefix} here, {@code azblob://account/container/prefix} and
 * {@code gs://bucket/prefix} with the libraries of these clouds ({@link ObjectStoreProvider}).
 */
public final class ObjectStores {
    private static final String DIRECTORY = "dir:";
    private static final String S3 = "s3://";
    private static final String FORMS =
            "dir:/path, s3://bucket/prefix, azblob://account/container/prefix or gs://bucket/prefix";
    /** The other schemes that Lifeboat has a library for, and the library's name. */
    private static final Map<String, String> LIBRARIES = Map.of("azblob", "azure-blob", "gs", "google-storage");

    private ObjectStores() {}

    /**
     * @param endpoint of a server that is not the cloud's own, such as {@code http://10.0.0.1:9000}
     * @param region of an S3 bucket; the environment's when absent
     * @throws StoreException when the URL is not understood or a directory cannot be used; a cloud is first called when
     *     the store is first used
     */
    public static ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
        if (url.startsWith(DIRECTORY)) {
            return new DirectoryObjectStore(directory(url));
        }
        if (url.startsWith(S3)) {
            return S3ObjectStore.open(url, endpoint, region);
        }
        int end = url.indexOf("://");
        String scheme = end < 0 ? "" : url.substring(0, end);
        Optional<ObjectStoreProvider> provider = StoreLibraries.find(scheme);
        if (provider.isPresent()) {
            return provider.get().open(url, endpoint, region);
        }
        if (LIBRARIES.containsKey(scheme)) {
            String library = LIBRARIES.get(scheme);
            throw new StoreException("'" + url + "' needs the library " + library
                    + ", which is not here: in a clone run mvn -DskipTests -pl passive-store/" + library
                    + " -am package, elsewhere name the folder of its jars with -D" + StoreLibraries.FOLDERS
                    + "=FOLDER");
        }
        throw new StoreException("'" + url + "' is no store: use " + FORMS);
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
