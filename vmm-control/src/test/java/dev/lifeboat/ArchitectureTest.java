// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows between modules, as ARCHITECTURE.md draws them. */
@AnalyzeClasses(packages = "dev.lifeboat", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String LINUX = "dev.lifeboat.linux..";
    private static final String STORE = "dev.lifeboat.store..";
    private static final String STREAM = "dev.lifeboat.stream..";
    private static final String NET = "dev.lifeboat.net..";
    private static final String VMM = "dev.lifeboat.vmm..";
    private static final String CONTROL = "dev.lifeboat.control..";

    @ArchTest
    static final ArchRule linuxBindingsKnowNobody = noClasses()
            .that()
            .resideInAPackage(LINUX)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(STORE, STREAM, NET, VMM, CONTROL);

    @ArchTest
    static final ArchRule theStoreKnowsNobody = noClasses()
            .that()
            .resideInAPackage(STORE)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(LINUX, STREAM, NET, VMM, CONTROL);

    @ArchTest
    static final ArchRule theStreamerKnowsOnlyBindingsAndStore = noClasses()
            .that()
            .resideInAPackage(STREAM)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(NET, VMM, CONTROL);

    @ArchTest
    static final ArchRule theNetworkKnowsOnlyBindings = noClasses()
            .that()
            .resideInAPackage(NET)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(STORE, STREAM, VMM, CONTROL);

    @ArchTest
    static final ArchRule theMonitorKnowsNothingOfTheControlSide = noClasses()
            .that()
            .resideInAPackage(VMM)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(CONTROL);

    @ArchTest
    static final ArchRule theControlSideReachesAVmOnlyByItsSocket = noClasses()
            .that()
            .resideInAPackage(CONTROL)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.lifeboat.vmm.kvm..", "dev.lifeboat.vmm.device..", "dev.lifeboat.vmm.boot..");

    @ArchTest
    static final ArchRule devicesKnowNoKvm = noClasses()
            .that()
            .resideInAPackage("dev.lifeboat.vmm.device..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.lifeboat.vmm.kvm..", "dev.lifeboat.vmm.boot..");

    @ArchTest
    static final ArchRule onlyNativeMemoryKnowsUnsafe = noClasses()
            .that()
            .doNotHaveFullyQualifiedName("dev.lifeboat.linux.NativeMemory")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("sun.misc.Unsafe");

    @ArchTest
    static final ArchRule onlyTheBindingsKnowJna = noClasses()
            .that()
            .resideOutsideOfPackage(LINUX)
            .should()
            .dependOnClassesThat()
            .resideInAPackage("com.sun.jna..");

    @ArchTest
    static final ArchRule onlyCommandsKnowTheCommandLineParser = noClasses()
            .that()
            .resideOutsideOfPackages("dev.lifeboat.control.cli..", "dev.lifeboat.systemtests..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("picocli..");

    @ArchTest
    static final ArchRule partsOfTheControlSideFormNoCycles =
            slices().matching("dev.lifeboat.control.(*)..").should().beFreeOfCycles();
}
