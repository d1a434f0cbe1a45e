// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.io.IOException;

/**
 * Numbered writes to a Redis server and a later look at them, each over a connection of its own: {@code write HOST PORT
 * KEYS FROM TO} writes numbers FROM to TO-1; {@code check HOST PORT KEYS ACKNOWLEDGED ATTEMPTED} reads every key, when
 * all numbers below ACKNOWLEDGED must be there and those up to ATTEMPTED may be. Number n is of key n mod KEYS. Prints
 * one line; status 0 when all was acknowledged, or nothing lost and nothing wrong.
 */
public final class NumberedWrites {

    private static final int VALUE_BYTES = 500;
    private static final int CONNECT_MILLIS = 20_000;
    private static final int REPLY_MILLIS = 30_000;

    private NumberedWrites() {}

    public static void main(String[] args) throws IOException {
        if (args.length != 6) {
            System.err.println("usage: write|check HOST PORT KEYS FROM|ACKNOWLEDGED TO|ATTEMPTED");
            System.exit(2);
        }
        int keys = Integer.parseInt(args[3]);
        long first = Long.parseLong(args[4]);
        long second = Long.parseLong(args[5]);
        WriteLedger ledger = new WriteLedger(keys, VALUE_BYTES);
        boolean good;
        try (RespConnection redis =
                new RespConnection(args[1], Integer.parseInt(args[2]), CONNECT_MILLIS, REPLY_MILLIS)) {
            good = args[0].equals("write") ? write(redis, ledger, first, second) : check(redis, ledger, first, second);
        }
        System.exit(good ? 0 : 1);
    }

    private static boolean write(RespConnection redis, WriteLedger ledger, long from, long to) throws IOException {
        long acknowledged = 0;
        for (long number = from; number < to; number++) {
            redis.request("SET", ledger.key(number), ledger.value(number));
            redis.flush();
            acknowledged += redis.reply().equals("OK") ? 1 : 0;
        }
        System.out.println("acknowledged=" + acknowledged);
        return acknowledged == to - from;
    }

    private static boolean check(RespConnection redis, WriteLedger ledger, long acknowledged, long attempted)
            throws IOException {
        for (long number = Math.max(0, attempted - 2L * ledger.keys()); number < attempted; number++) {
            ledger.attempting(number);
            if (number < acknowledged) {
                ledger.acknowledged(number, 0);
            }
        }
        long[] verdicts = new long[WriteLedger.Verdict.values().length];
        long newest = -1;
        for (int key = 0; key < ledger.keys(); key++) {
            redis.request("GET", ledger.key(key));
            redis.flush();
            String value = redis.reply();
            WriteLedger.Verdict verdict = ledger.judge(key, value);
            verdicts[verdict.ordinal()]++;
            if (verdict == WriteLedger.Verdict.KEPT && value != null) {
                newest = Math.max(newest, Long.parseLong(value.substring(0, value.indexOf('-'))));
            }
        }
        System.out.println("kept=" + verdicts[WriteLedger.Verdict.KEPT.ordinal()] + " lost="
                + verdicts[WriteLedger.Verdict.LOST.ordinal()] + " wrong="
                + verdicts[WriteLedger.Verdict.WRONG.ordinal()] + " newest=" + newest);
        return verdicts[WriteLedger.Verdict.KEPT.ordinal()] == ledger.keys();
    }
}
