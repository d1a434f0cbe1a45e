// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Predicate;

/**
 * Finds the provider of a scheme: on the class path, else in one of the folders of jars that {@link #FOLDERS} names.
 * Each folder has a class loader of its own, made when a URL first asks for one of them and kept for the life of the
 * process: the class path, and the class archive made for it, stay as they are.
 */
final class StoreLibraries {
    /** System property: folders of jars, separated as in a class path; a folder that is not there is passed over. */
    static final String FOLDERS = "lifeboat.stores";

    private static final Map<Path, ClassLoader> LOADERS = new HashMap<>();

    private StoreLibraries() {}

    static Optional<ObjectStoreProvider> find(String scheme) {
        return find(scheme, System.getProperty(FOLDERS, ""));
    }

    static Optional<ObjectStoreProvider> find(String scheme, String folders) {
        return find(ObjectStoreProvider.class, provider -> provider.scheme().equals(scheme), folders);
    }

    static Optional<OwnerRegistryProvider> findRegistry(String scheme) {
        return find(
                OwnerRegistryProvider.class,
                provider -> provider.scheme().equals(scheme),
                System.getProperty(FOLDERS, ""));
    }

    private static <P> Optional<P> find(Class<P> kind, Predicate<P> fits, String folders) {
        Optional<P> known = provider(kind, fits, StoreLibraries.class.getClassLoader());
        for (String folder : folders.split(File.pathSeparator)) {
            if (known.isEmpty() && !folder.isEmpty()) {
                known = provider(kind, fits, loader(Path.of(folder)));
            }
        }
        return known;
    }

    private static <P> Optional<P> provider(Class<P> kind, Predicate<P> fits, ClassLoader loader) {
        return ServiceLoader.load(kind, loader).stream()
                .map(ServiceLoader.Provider::get)
                .filter(fits)
                .findFirst();
    }

    private static synchronized ClassLoader loader(Path folder) {
        return LOADERS.computeIfAbsent(folder, StoreLibraries::open);
    }

    private static ClassLoader open(Path folder) {
        List<URL> jars = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.jar")) {
                for (Path jar : files) {
                    jars.add(jar.toUri().toURL());
                }
            } catch (IOException e) {
                throw new StoreException("cannot read the folder " + folder + " of " + FOLDERS + ": " + e, e);
            }
        }
        return new URLClassLoader(jars.toArray(URL[]::new), StoreLibraries.class.getClassLoader());
    }
}
