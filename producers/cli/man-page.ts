import type { Command } from "commander";
import { ExitCode } from "../../shared/error-codes.ts";

/**
 * Returns the manual page of a program in man(7) format. It contains each command's own help, so that the two
 * cannot differ.
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
    "settings; the option descriptions of every command list them",
  ],
  ["AREA/completed-runs.db", "the moved runs"],
  ["AREA/.mtjobs/history.jsonl", "one line for each job that ended"],
  ["AREA/.mtjobs/pause", "while this file exists, no job of the area starts or continues"],
] as const;

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

/** Returns what `--help` prints. From then on the command's output goes nowhere else. */
function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 76,
  });
  command.outputHelp();
  return help;
}

/** `notQuiescent` → `not quiescent` */
const wordsOf = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const lowerFirst = (sentence: string) => sentence.charAt(0).toLowerCase() + sentence.slice(1);

function asPrinted(block: string): string[] {
  return [".nf", ...block.trimEnd().split("\n").map(text), ".fi"];
}

/** Escapes a line, so that it contains no request or escape and only ASCII. */
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
