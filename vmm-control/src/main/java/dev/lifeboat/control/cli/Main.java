// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.LogSetup;
import dev.lifeboat.control.agent.Agent;
import dev.lifeboat.control.controller.Controller;
import dev.lifeboat.control.gateway.Gateway;
import dev.lifeboat.control.http.ApiError;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.ServiceLoader;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The program {@code lifeboat}. */
@Command(
        name = "lifeboat",
        description = "Runs microVMs on spot machines and moves them off, live, before the machine is taken away.",
        mixinStandardHelpOptions = true,
        version = "lifeboat 0.1.0",
        synopsisSubcommandLabel = "COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done",
            "1:tried and failed",
            "2:wrong command line or configuration file",
            "3:no agent answers",
            "4:the other side is not of this fleet (TLS)",
            "5:no such VM, host, evacuation or epoch",
            "6:this machine lacks something (lifeboat doctor)"
        },
        subcommands = {
            DoctorCommand.class,
            CertsCommand.class,
            RunCommand.class,
            PsCommand.class,
            LogsCommand.class,
            ConsoleCommand.class,
            EvacuateCommand.class,
            RestoreCommand.class,
            RemoveCommand.class,
            EventsCommand.class,
            StoreCommand.class,
            RulesCommand.class,
            AgentCommand.class,
            GatewayCommand.class,
            ControllerCommand.class,
            CloudCommand.class
        })
public final class Main {
    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show the stack trace of a failure")
    boolean verbose;

    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    static int run(String... arguments) {
        Optional<Role> role = plainRole(arguments);
        if (role.isPresent()) {
            return role(role.get());
        }
        CommandLine commandLine = new CommandLine(new Main());
        for (LifeboatCommand command : ServiceLoader.load(LifeboatCommand.class)) {
            commandLine.addSubcommand(command);
        }
        commandLine.setExecutionExceptionHandler((failure, failed, parsed) -> {
            if (verboseIn(arguments)) {
                failure.printStackTrace(failed.getErr());
            }
            failed.getErr().println("lifeboat: " + oneLine(failure));
            return exitCode(failure);
        });
        // A command without its subcommand or argument is wrong usage; picocli answers 2 with the usage text.
        commandLine.setUnmatchedArgumentsAllowed(false);
        if (arguments.length == 0) {
            commandLine.usage(System.err);
            return ExitCode.USAGE;
        }
        return commandLine.execute(arguments);
    }

    /** Roles start without the command line parser, whose reflection takes seconds on an emulated processor. */
    private static Optional<Role> plainRole(String[] arguments) {
        if (arguments.length == 3 && arguments[1].equals("--config")) {
            Path config = Path.of(arguments[2]);
            return switch (arguments[0]) {
                case "agent" -> Optional.of(() -> Agent.run(config));
                case "gateway" -> Optional.of(() -> Gateway.run(config));
                case "controller" -> Optional.of(() -> Controller.run(config));
                default -> Optional.empty();
            };
        }
        // As the bootstrap script writes it; any other order goes through the parser.
        boolean enrols = arguments.length == 9
                && arguments[0].equals("agent")
                && arguments[1].equals("--enroll")
                && arguments[3].equals("--token")
                && arguments[5].equals("--authority")
                && arguments[7].equals("--config");
        return enrols
                ? Optional.of(() -> AgentCommand.enrolAndRun(
                        arguments[2], arguments[4], Path.of(arguments[6]), Path.of(arguments[8])))
                : Optional.empty();
    }

    /** One line for the user; what it says must stand alone. */
    static String oneLine(Throwable failure) {
        String message = failure.getMessage();
        String text = message == null || message.isBlank() ? failure.getClass().getSimpleName() : message;
        if (!(failure instanceof ControlException || failure instanceof ApiError)) {
            text += " (lifeboat --verbose shows where)";
        }
        return text.replace('\n', ' ');
    }

    static int exitCode(Throwable failure) {
        if (failure instanceof ControlException known) {
            return known.exitCode();
        }
        if (failure instanceof ApiError answered) {
            return switch (answered.status()) {
                case 400 -> ExitCode.USAGE;
                case 404 -> ExitCode.NOT_FOUND;
                case 503 -> ExitCode.MISSING;
                default -> ExitCode.FAILED;
            };
        }
        return ExitCode.FAILED;
    }

    /** What a role does until it is told to end. */
    interface Role {
        void run() throws InterruptedException;
    }

    static int role(Role role) {
        try {
            role.run();
            return ExitCode.OK;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ExitCode.OK;
        } catch (ControlException e) {
            System.err.println("lifeboat: " + oneLine(e));
            return e.exitCode();
        } catch (RuntimeException e) {
            LoggerFactory.getLogger(Main.class).debug("failed", e);
            System.err.println("lifeboat: " + e + " (-D" + LogSetup.LEVEL + "=DEBUG shows where)");
            return exitCode(e);
        }
    }

    private static boolean verboseIn(String[] arguments) {
        return Arrays.asList(arguments).contains("--verbose");
    }
}
