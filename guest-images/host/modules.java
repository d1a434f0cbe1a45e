# Modules of the Java runtime in the emulated host, and who needs them.
java.base
# JNA, Netty, Disruptor, Chronicle
jdk.unsupported
# Jackson, S3Proxy and the AWS SDK read annotations and types of these
java.desktop
java.sql
java.xml
java.xml.crypto
# logging back ends and their bridges
java.logging
java.naming
java.management
jdk.management
java.instrument
# agent API, metadata service, S3 clients, TLS
java.net.http
jdk.httpserver
java.security.jgss
java.security.sasl
java.compiler
jdk.crypto.ec
jdk.net
jdk.zipfs
# looking into a machine that hangs: jcmd Thread.print
jdk.jcmd
