// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/** A source of dirty page numbers: the KVM dirty log in a VM, userfaultfd write-protection in native benchmarks. */
public interface DirtyLog {
    /** Starts logging; every page written afterwards is reported. Idempotent. */
    void start();

    /** Stops logging. Idempotent. */
    void stop();

    /**
     * Adds every page written since the last harvest to {@code into} and re-arms the log for exactly those pages
     * <em>before</em> returning, so a page may be read after this call: a later write reports it again.
     *
     * @return pages added
     */
    long harvest(PageBitmap into);
}
