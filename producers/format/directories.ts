import { countText } from "../../shared/text.ts";
import type { DirectoryList } from "../areas/list-directories.ts";
import { textTable } from "./table.ts";

/** One line for each directory: the path first, for other programs. */
export function directoriesText({ directories }: DirectoryList): string {
  if (directories.length === 0) return "no moved or purged run matches, or none names a directory";
  const rows = directories.map(({ directory, run, state, exists, usedBy }) => [
    directory,
    state,
    `#${run.id} ${run.target}/${run.runname}`,
    [
      ...(exists === null ? ["cannot be seen"] : exists ? [] : ["not on this host"]),
      ...(usedBy === undefined ? [] : [`in use by run ${usedBy.id} (${usedBy.target}/${usedBy.runname})`]),
    ].join(", "),
  ]);
  const used = directories.filter(({ usedBy }) => usedBy !== undefined).length;
  return [
    textTable(rows, { head: ["DIRECTORY", "RUN IS", "RUN", ""] }),
    "",
    `directories: ${countText(directories.length)}, of which other runs use ${countText(used)}; mtjobs removes none`,
  ].join("\n");
}
