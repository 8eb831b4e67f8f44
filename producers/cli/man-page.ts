import type { Command } from "commander";
import { ExitCode } from "../../shared/errors.ts";

/**
 * The manual page of a program, in the language of man(7): every command with the help that it gives by itself, so
 * that the page says nothing else than the help.
 */
export function manPage(program: Command, version: string): string {
  const name = program.name();
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "megatest-jobs ${version}" "User Commands"`,
    ".SH NAME",
    text(`${name} - ${lowerFirst(program.description())}`),
    ".SH SYNOPSIS",
    `.B ${name}`,
    text("COMMAND [AREA] [OPTION]..."),
    ".SH DESCRIPTION",
    ...asPrinted(helpOf(program)),
    ".SH COMMANDS",
  ];
  for (const command of commandsOf(program)) {
    lines.push(`.SS ${text(pathOf(command))}`, ...asPrinted(helpOf(command)));
  }
  lines.push(
    ".SH EXIT STATUS",
    ...Object.entries(ExitCode).flatMap(([meaning, code]) => [".TP", `.B ${code}`, text(wordsOf(meaning))]),
    ".SH FILES",
    ...files.flatMap(([path, what]) => [".TP", `.I ${text(path)}`, text(what)]),
    "",
  );
  return lines.join("\n");
}

const files = [
  [
    "mtjobs.json, ~/.config/mtjobs/mtjobs.json",
    "settings: what the options of every command say may be here, too",
  ],
  ["AREA/completed-runs.db", "the runs that have moved"],
  ["AREA/.mtjobs/history.jsonl", "a line for each job that ended"],
  ["AREA/.mtjobs/pause", "while it is there, no job of the area goes on"],
] as const;

/** All commands that are not hidden, and theirs, in the order of the help. */
function commandsOf(parent: Command): Command[] {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .filter((command) => command.name() !== "help")
    .flatMap((command) => [command, ...commandsOf(command)]);
}

function pathOf(command: Command): string {
  return command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** What `--help` prints, examples and exit codes included. The command prints nowhere else from then on. */
function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (part) => {
      help += part;
    },
    getOutHelpWidth: () => 76,
  });
  command.outputHelp();
  return help;
}

/** `notQuiescent` → `not quiescent` */
const wordsOf = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const lowerFirst = (sentence: string) => sentence.charAt(0).toLowerCase() + sentence.slice(1);

/** Line by line as it is. */
function asPrinted(block: string): string[] {
  return [".nf", ...block.trimEnd().split("\n").map(text), ".fi"];
}

/** Nothing of a line may be read as a request or an escape, and all of it is ASCII. */
function text(line: string): string {
  return line
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(
      /[^ -~]/gu,
      (sign) => `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    )
    .replace(/^([.'])/, "\\&$1");
}
