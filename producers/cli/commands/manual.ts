import type { Command } from "commander";
import { addHelp, addSharedOptions, type Bind } from "../command.ts";

/** @param describe builds the command tree that the page describes */
export function addManual(program: Command, bind: Bind, version: string, describe: () => Command): void {
  const command = program
    .command("manual")
    .summary("print the manual page")
    .description(
      "Print the manual page of mtjobs in man format. The package also contains it as dist/mtjobs.1.",
    );
  addSharedOptions(command);
  addHelp(command, { examples: [["mtjobs manual | man -l -", "read it when it is not installed for man"]] });
  bind(command, async () => {
    const { manPage } = await import("../man-page.ts");
    const page = manPage(describe(), version);
    return { document: { page }, text: page };
  });
}
