import type { Command } from "commander";
import { addSharedOptions, type Bind, teach } from "../command.ts";

/**
 * `mtjobs manual`
 *
 * @param describe makes the tree of commands that the page is about
 */
export function addManual(program: Command, bind: Bind, version: string, describe: () => Command): void {
  const command = program
    .command("manual")
    .summary("print the manual page")
    .description(
      "Print the manual page of mtjobs, as man reads it; it is dist/mtjobs.1 of the package, too.",
    );
  addSharedOptions(command);
  teach(command, { examples: [["mtjobs manual | man -l -", "read it, where it is not installed for man"]] });
  bind(command, async () => {
    const { manPage } = await import("../man-page.ts");
    const page = manPage(describe(), version);
    return { document: { page }, text: page };
  });
}
