// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Numbered transactions on the database of the PostgreSQL guest and a later look at them, each over a connection of its
 * own: {@code write HOST FROM TO} commits numbers FROM to TO-1, one transaction each; {@code check HOST FROM
 * COMMITTED ATTEMPTED} counts them, when all from FROM to COMMITTED-1 must be there and none from ATTEMPTED on may be,
 * and compares what pgbench keeps in four places; {@code crash-check HOST} lets the guest kill its server and look at the disk. Prints one
 * line; status 0 when all was committed, or all is right.
 */
public final class NumberedCommits {

    private static final int DATABASE_PORT = 5432;
    private static final int SERVICE_PORT = 7001;
    private static final int CONNECT_MILLIS = 20_000;
    private static final int REPLY_MILLIS = 60_000;
    /** A look at every table and index takes a guest in an emulated host a minute, on a machine with other work several. */
    private static final int CHECK_MILLIS = 300_000;

    /** One statement sees one moment: each transaction of pgbench adds the same to all four. */
    private static final String BALANCES = """
        SELECT (SELECT coalesce(sum(delta), 0) FROM pgbench_history) AS history,
               (SELECT sum(abalance) FROM pgbench_accounts) AS accounts,
               (SELECT sum(tbalance) FROM pgbench_tellers) AS tellers,
               (SELECT sum(bbalance) FROM pgbench_branches) AS branches
        """;

    private NumberedCommits() {}

    public static void main(String[] args) throws IOException {
        boolean good;
        if (args.length == 4 && args[0].equals("write")) {
            good = write(args[1], Long.parseLong(args[2]), Long.parseLong(args[3]));
        } else if (args.length == 5 && args[0].equals("check")) {
            good = check(args[1], Long.parseLong(args[2]), Long.parseLong(args[3]), Long.parseLong(args[4]));
        } else if (args.length == 2 && args[0].equals("crash-check")) {
            good = crashCheck(args[1]);
        } else {
            System.err.println("usage: write HOST FROM TO | check HOST FROM COMMITTED ATTEMPTED | crash-check HOST");
            System.exit(2);
            return;
        }
        System.exit(good ? 0 : 1);
    }

    private static PostgresConnection connect(String host) throws IOException {
        return new PostgresConnection(host, DATABASE_PORT, CONNECT_MILLIS, REPLY_MILLIS);
    }

    private static boolean write(String host, long from, long to) throws IOException {
        try (PostgresConnection database = connect(host)) {
            for (long number = from; number < to; number++) {
                database.query("INSERT INTO numbered VALUES (" + number + ")");
            }
        }
        System.out.println("committed=" + (to - from));
        return true;
    }

    private static boolean check(String host, long from, long committed, long attempted) throws IOException {
        try (PostgresConnection database = connect(host)) {
            long kept = count(database, "number >= " + from + " AND number < " + committed);
            long later = count(database, "number >= " + committed + " AND number < " + attempted);
            long strange = count(database, "number < 0 OR number >= " + attempted);
            boolean equal = database.query(
                            "SELECT history = accounts AND accounts = tellers AND tellers = branches FROM (" + BALANCES
                                    + ") AS sums")
                    .equals("t");
            String transactions = database.query("SELECT count(*) FROM pgbench_history");
            System.out.println(String.format(
                    Locale.ROOT,
                    "kept=%d lost=%d later=%d strange=%d pgbench=%s balances=%s",
                    kept,
                    committed - from - kept,
                    later,
                    strange,
                    transactions,
                    equal ? "equal" : "differ"));
            return kept == committed - from && strange == 0 && equal;
        }
    }

    private static long count(PostgresConnection database, String condition) throws IOException {
        return Long.parseLong(database.query("SELECT count(*) FROM numbered WHERE " + condition));
    }

    private static boolean crashCheck(String host) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, SERVICE_PORT), CONNECT_MILLIS);
            socket.setSoTimeout(CHECK_MILLIS);
            socket.getOutputStream().write("crash-check\n".getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            System.out.println(answer.strip().replace('\n', ','));
            return answer.equals("recovered\namcheck clean\ndone\n");
        }
    }
}
