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
 * Finds providers on the class path, else in folders of jars that a system property names. Each folder has a class
 * loader of its own, made when somebody first asks for what is not on the class path, and kept for the life of the
 * process: the class path, and the class archive made for it, stay as they are. Any thread.
 */
public final class LibraryFolders {
    private static final Map<Path, ClassLoader> LOADERS = new HashMap<>();

    private LibraryFolders() {}

    /**
     * @param kind loaded by {@link ServiceLoader}
     * @param folders separated as in a class path; a folder that is not there is passed over
     */
    public static <P> Optional<P> find(Class<P> kind, Predicate<P> fits, String folders) {
        Optional<P> known = provider(kind, fits, LibraryFolders.class.getClassLoader());
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
        return LOADERS.computeIfAbsent(folder, LibraryFolders::open);
    }

    private static ClassLoader open(Path folder) {
        List<URL> jars = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.jar")) {
                for (Path jar : files) {
                    jars.add(jar.toUri().toURL());
                }
            } catch (IOException e) {
                throw new StoreException("cannot read the folder " + folder + " of libraries: " + e, e);
            }
        }
        return new URLClassLoader(jars.toArray(URL[]::new), LibraryFolders.class.getClassLoader());
    }
}
