// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.net.address.AddressMoves;
import dev.lifeboat.net.address.MoveRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AddressBookTest {
    private static final String ADDRESS = "10.0.0.50";

    @TempDir
    Path directory;

    private final TestCloud cloud = new TestCloud();
    private TargetView target = view(TargetView.State.PLANNED, "");
    private boolean path = true;

    private static TargetView view(TargetView.State state, String host) {
        return new TargetView("web", state, host, "", "", "", -1, "");
    }

    private AddressBook book() {
        AddressBook book = new AddressBook(
                List.of(new ControllerConfig.VmAddress("web", "route", ADDRESS, Optional.empty())),
                new JsonJournal<>(directory.resolve("places"), AddressBook.Place.class),
                new AddressMoves(
                        AddressBook.log(new JsonJournal<>(directory.resolve("moves"), MoveRecord.class)),
                        cloud.addresses(),
                        wish -> path),
                host -> Optional.of("i-" + host),
                vm -> target,
                new Events());
        book.recover();
        return book;
    }

    @Test
    void theAddressIsPreparedForTheTargetAndFollowsWhenTheVmIsSeenThere() {
        AddressBook book = book();
        book.seen("web", "a", 1);
        target = view(TargetView.State.READY, "b");
        book.step();
        book.step();
        assertThat(cloud.calls).containsExactly("prepare-address");
        book.seen("web", "b", 2);
        assertThat(cloud.whereIs(ADDRESS)).contains("i-b");
        assertThat(book.open()).isEmpty();
    }

    @Test
    void aLateWordOfTheFormerHostMovesNothingBack() {
        AddressBook book = book();
        book.seen("web", "a", 1);
        book.seen("web", "b", 2);
        book.seen("web", "a", 1);
        assertThat(cloud.whereIs(ADDRESS)).contains("i-b");
    }

    @Test
    void aTargetThatIsLostGivesBackWhatWasPrepared() {
        AddressBook book = book();
        book.seen("web", "a", 1);
        target = view(TargetView.State.READY, "b");
        book.step();
        target = view(TargetView.State.LOST, "");
        book.step();
        assertThat(cloud.calls).endsWith("undo-address");
        assertThat(book.open()).isEmpty();
    }

    @Test
    void aRestartBetweenTheMoveAndItsConfirmationFinishesIt() {
        AddressBook book = book();
        book.seen("web", "a", 1);
        path = false;
        book.seen("web", "b", 2);
        assertThat(book.open())
                .singleElement()
                .satisfies(move -> assertThat(move.step()).isEqualTo(MoveRecord.Step.CONFIRMING));
        AddressBook again = book();
        path = true;
        again.step();
        assertThat(again.open()).isEmpty();
        assertThat(cloud.whereIs(ADDRESS)).contains("i-b");
    }

    @Test
    void aSwitchThatHappenedWhileTheControllerWasAwayIsSeenAfterwards() {
        book().seen("web", "a", 1);
        AddressBook again = book();
        again.seen("web", "b", 2);
        assertThat(cloud.whereIs(ADDRESS)).contains("i-b");
    }

    @Test
    void aCrashInTheMiddleOfTheMoveIsCaughtUpWith() {
        AddressBook book = book();
        book.seen("web", "a", 1);
        cloud.crashAfter.add("move-address");
        try {
            book.seen("web", "b", 2);
        } catch (TestCloud.Crash crash) {
            book = null;
        }
        assertThat(book).isNull();
        AddressBook again = book();
        again.seen("web", "b", 2);
        assertThat(cloud.whereIs(ADDRESS)).contains("i-b");
        assertThat(again.open()).isEmpty();
    }
}
