// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import dev.lifeboat.store.LibraryFolders;

/** Finds the SDK of a cloud: on the class path, else in one of the folders of jars that {@link #FOLDERS} names. */
public final class CloudLibraries {
    /** System property: folders of jars, separated as in a class path; a folder that is not there is passed over. */
    public static final String FOLDERS = "lifeboat.clouds";

    private CloudLibraries() {}

    /** @throws CloudException of kind INVALID when the library is not here or the settings are not enough */
    public static Cloud open(CloudSettings settings) {
        String word = settings.kind().word();
        // The folders of Lifeboat's own build are named as the cloud's Java package is, which for gcp is another word.
        String library = settings.kind() == CloudKind.GOOGLE ? "cloud-google" : "cloud-" + word;
        return LibraryFolders.find(
                        CloudProvider.class,
                        provider -> provider.kind() == settings.kind(),
                        System.getProperty(FOLDERS, ""))
                .orElseThrow(() -> new CloudException(
                        CloudException.Kind.INVALID,
                        "the cloud " + word + " needs the library " + library
                                + ", which is not here: in a clone run mvn -DskipTests -pl vmm-control/" + library
                                + " -am package, elsewhere name the folder of its jars with -D" + FOLDERS
                                + "=FOLDER"))
                .open(settings);
    }
}
