import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/area.ts";
import { runCommand } from "../support/queue.ts";

/** What is offered for a line of which the last word is being typed, and what the shell is told to do with it. */
async function offered(words: string[], cwd?: string): Promise<{ offers: string[]; directive: string }> {
  const { code, stdout } = await runCommand(["complete", "--", ...words], cwd === undefined ? {} : { cwd });
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  return {
    directive: lines.at(-1) ?? "",
    offers: lines.slice(0, -1).map((line) => line.split("\t")[0] ?? ""),
  };
}

describe("completion in a shell", () => {
  it("offers the commands that begin as typed, and those of a command that has some", async () => {
    expect((await offered(["re"])).offers).toEqual(["reduce", "restore", "retry"]);
    expect((await offered(["schedule", ""])).offers).toEqual(
      expect.arrayContaining(["add", "list", "remove"]),
    );
  });

  it("offers a command's own options and those that all have", async () => {
    expect((await offered(["reduce", "--ag"])).offers).toEqual(["--age"]);
    expect((await offered(["reduce", "--red"])).offers).toEqual(["--redis-url"]);
  });

  it("offers directories for an area, with no space after them, and none that are hidden", async () => {
    const directory = temporaryDirectory();
    for (const name of ["area-1", "area-2", ".hidden", "other"]) mkdirSync(join(directory, name));
    const asked = await offered(["reduce", "ar"], directory);
    expect(asked.offers).toEqual(["area-1/", "area-2/"]);
    expect(asked.directive).toBe(":6");
    const absolute = await offered(["status", `${directory}/`]);
    expect(absolute.offers).toEqual(["area-1", "area-2", "other"].map((name) => `${directory}/${name}/`));
    expect((await offered(["status", `${directory}/none/`])).offers).toEqual([]);
  });

  it("prints a script that bash can read, and refuses a shell that is not known", async () => {
    const { stdout } = await runCommand(["complete", "bash"]);
    expect(stdout).toContain("mtjobs complete -- ");
    expect(spawnSync("bash", ["-n"], { input: stdout }).status).toBe(0);
    const asDocument = await runCommand(["complete", "bash", "--json"]);
    const { shell, script } = JSON.parse(asDocument.stdout) as { shell: string; script: string };
    expect([shell, script.trimEnd()]).toEqual(["bash", stdout.trimEnd()]);
    const refused = await runCommand(["complete", "tcsh"]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining("bash, zsh, fish, powershell"),
    ]);
  });
});

describe("the manual page", () => {
  it("tells of every command that the help lists, with its examples", async () => {
    const [help, manual] = await Promise.all([runCommand(["--help"]), runCommand(["manual"])]);
    const names = [...help.stdout.matchAll(/^ {2}([a-z][a-z-]*) (?:\[options\]|\[area\]|<)/gm)].map(
      ([, name]) => name,
    );
    expect(names.length).toBeGreaterThan(15);
    const sections = [...manual.stdout.matchAll(/^\.SS (.+)$/gm)].map(([, name]) =>
      name?.replaceAll("\\", ""),
    );
    expect(sections).toEqual(
      expect.arrayContaining([...names.filter((name) => name !== "mtjobs"), "schedule add"]),
    );
    expect(manual.stdout).toContain("Examples:");
    expect(JSON.parse((await runCommand(["manual", "--json"])).stdout)).toEqual({
      page: expect.stringMatching(/^\.TH MTJOBS 1/),
    });
  });

  it.skipIf(spawnSync("groff", ["--version"]).status !== 0)("is set by groff without a warning", async () => {
    const { stdout } = await runCommand(["manual"]);
    const { stderr, status } = spawnSync("groff", ["-man", "-Tutf8", "-ww"], {
      input: stdout,
      encoding: "utf8",
    });
    expect([stderr, status]).toEqual(["", 0]);
  });
});
