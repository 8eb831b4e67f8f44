import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { checkSubjects } from "../producers/doctor/checks/check.ts";
import { migrateSchema } from "../shared/contract/migrate-payload.ts";
import { migrateCheckNames } from "../shared/contract/names.ts";
import { payloadSchemas } from "../shared/contract/payload.ts";
import { errorCodes } from "../shared/error-codes.ts";
import { environmentName, resolveSettings } from "../shared/settings/settings.ts";
import {
  importFailpoints,
  migrateFailpoints,
  purgeFailpoints,
  reduceFailpoints,
  restoreFailpoints,
} from "../workers/area-db/failpoint-names.ts";
import { runCommand } from "./support/queue.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].concat(
  readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
);
const texts = new Map(pages.map((page) => [page, readFileSync(join(root, page), "utf8")]));
const textOf = (page: string) => texts.get(page) ?? "";
const everything = [...texts.values()].join("\n");

/** First cells of the table rows below a heading, their code spans one by one. */
function namesInTable(page: string, heading: string): Set<string> {
  const section = textOf(page).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const cells = [...section.matchAll(/^\|(.*?)\|/gm)].map(([, cell]) => cell ?? "");
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "")));
}

/** `` `mtjobs …` `` in running text and the lines of shell blocks, comments left out. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => (block ?? "").split("\n"));
  const spans = [...text.replace(/```.*?```/gs, "").matchAll(/`([^`]*)`/g)].map(([, span]) => span ?? "");
  return [...blocks, ...spans]
    .map((line) => /(?:^|[ /])mtjobs ((?:[a-z]|-[a-z]).*)$/.exec(line.replace(/ #.*/, ""))?.[1] ?? "")
    .filter((line) => line !== "");
}

function sources(directories = ["shared", "producers", "workers", "entry", "scripts"]): string[] {
  return directories.flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.m?ts$|\.mjs$/.test(name))
      .map((name) => readFileSync(join(root, directory, name), "utf8")),
  );
}

/** A heading's anchor as GitHub makes it. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** By command: what its --help prints; "" for the program's own. */
const help = new Map<string, string>();

beforeAll(async () => {
  const top = (await runCommand(["--help"])).stdout;
  help.set("", top);
  const list = top.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "";
  for (const [, name = ""] of list.matchAll(/^ {2}([a-z][a-z-]*) /gm)) {
    help.set(name, (await runCommand([name, "--help"])).stdout);
  }
});

describe("the documentation", () => {
  it.each([
    ["docs/interface.md", "### What the doctor checks"],
    ["docs/operations.md", "## What the doctor's verdicts mean"],
  ])("%s explains each check of the doctor", (page, heading) => {
    const [, section = ""] = readFileSync(join(root, page), "utf8").split(`${heading}\n`);
    const cells = section
      .split(/^##/m)[0]
      ?.matchAll(/^\| (`[a-z-]+(?:\/FILE)?`(?:, `[a-z-]+(?:\/FILE)?`)*) \|/gm);
    const named = new Set(
      [...(cells ?? [])].flatMap(([, cell = ""]) => cell.match(/[a-z-]+(?=`|\/FILE)/g) ?? []),
    );
    expect(checkSubjects.filter((subject) => !named.has(subject))).toEqual([]);
  });

  it("lists every error code, with what it means and what to do, and no other", () => {
    const codes = [...errorCodes].sort();
    expect([...namesInTable("docs/interface.md", "Errors")].sort()).toEqual(codes);
    expect([...namesInTable("docs/operations.md", "When something is wrong")].sort()).toEqual(codes);
  });

  it("lists for every code of a refused migration the checks that it stands for", async () => {
    const { refusalCodes } = await import("../workers/migrate/checks/refusal.ts");
    const table = textOf("docs/migration.md").split("| code | checks |\n")[1]?.split("\n\n")[0] ?? "";
    const documented = [...table.matchAll(/^\| `([\w-]+)` \| ([^;|]*)/gm)].flatMap(([, code, checks = ""]) =>
      [...checks.matchAll(/`([\w-]+)`/g)].map(([, check]) => [check, code]),
    );
    expect(Object.fromEntries(documented)).toEqual(refusalCodes);
  });

  it("says for every error code the exit code that it has", async () => {
    const { JobsError } = await import("../shared/errors.ts");
    const section = textOf("docs/interface.md").split("\n## Errors\n")[1] ?? "";
    for (const code of errorCodes) {
      const exit = new RegExp(`^\\| \`${code}\` \\| (\\d+) \\|`, "m").exec(section)?.[1];
      expect([code, Number(exit)]).toEqual([code, new JobsError(code, "").exitCode]);
    }
  });

  it("tells for every step of a job what is on disk if it dies there, and for no other", () => {
    for (const [page, steps] of [
      ["docs/moving.md", [...reduceFailpoints, ...restoreFailpoints]],
      ["docs/migrating.md", migrateFailpoints],
      ["docs/purging.md", [...purgeFailpoints, ...importFailpoints]],
    ] as const)
      expect([...namesInTable(page, "What if it dies here")].sort()).toEqual([...steps].sort());
  });

  it("has every command in the README's table, and names none that does not exist", () => {
    const commands = [...help.keys()].filter((name) => name !== "" && name !== "help");
    const table = [...namesInTable("README.md", "Commands")].map((line) => line.split(" "));
    const shown = table.filter(([word]) => word === "mtjobs").map(([, command]) => command);
    expect(new Set(shown)).toEqual(new Set(commands));
    const lines = [...texts.values()].flatMap(commandLines);
    expect(lines.length).toBeGreaterThan(15);
    const unknown = lines.filter((line) => !/^(-|COMMAND)/.test(line) && !help.has(line.split(" ")[0] ?? ""));
    expect(unknown).toEqual([]);
  });

  it("shows no option that its command does not have, and every option of reduce and restore", () => {
    const lines = [...texts.values()].flatMap(commandLines);
    const unknown = lines.flatMap((line) => {
      const text = help.get(line.split(" ")[0] ?? "") ?? help.get("") ?? "";
      return [...line.matchAll(/--([a-z-]+)/g)]
        .filter(([option]) => !new RegExp(`${option}\\b`).test(text))
        .map(([option]) => `${line}: ${option}`);
    });
    expect(unknown).toEqual([]);
    const own = ["reduce", "restore"].map((name) => (help.get(name) ?? "").split("\nSettings")[0]).join("\n");
    const options = [...own.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option ?? "");
    expect(options.length).toBeGreaterThan(12);
    expect(options.filter((option) => !textOf("README.md").includes(option))).toEqual([]);
  });

  it("has every setting in the README's table, and every other variable somewhere", () => {
    const settings = Object.keys(resolveSettings()).map(environmentName).sort();
    expect(
      [...namesInTable("README.md", "Settings")].filter((name) => name.startsWith("MTJOBS_")).sort(),
    ).toEqual(settings);
    const read = new Set(sources().flatMap((text) => text.match(/MTJOBS_[A-Z_]*[A-Z]/g) ?? []));
    expect([...read].filter((name) => !everything.includes(name))).toEqual([]);
    const byTests = sources(["test"]).flatMap((text) => text.match(/MTJOBS_[A-Z_]*[A-Z]/g) ?? []);
    const known = new Set([...read, ...settings, ...byTests]);
    expect((everything.match(/MTJOBS_[A-Z_]*[A-Z]/g) ?? []).filter((name) => !known.has(name))).toEqual([]);
  });

  it("lists every member of a job's data, and every job", () => {
    const jobs = Object.keys(payloadSchemas);
    const { reduce, restore, purge, import: imports } = payloadSchemas;
    const members = [
      ...new Set([reduce, restore, purge, imports].flatMap(({ shape }) => Object.keys(shape))),
    ].sort();
    for (const job of jobs) expect(textOf("docs/interface.md")).toMatch(new RegExp(`named[^:]*\`${job}\``));
    expect([...namesInTable("docs/interface.md", "Asking for a job")].sort()).toEqual(members);
    const own = Object.keys(migrateSchema.shape).filter((member) => !members.includes(member));
    const documented = namesInTable("docs/interface.md", "Asking for a migration");
    expect(own.filter((member) => !documented.has(member))).toEqual([]);
  });

  it("says of every check of a migration what it means when it is against it, and of no other", () => {
    const documented = [...namesInTable("docs/migration.md", "What each refusal means")];
    expect(documented).toEqual(
      [...migrateCheckNames].sort((a, b) => documented.indexOf(a) - documented.indexOf(b)),
    );
  });

  it("has no link that leads nowhere", () => {
    const broken = [...texts].flatMap(([page, text]) =>
      [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, path = "", anchor]) => {
        const target = path === "" ? page : relative(root, join(root, dirname(page), path));
        if (!existsSync(join(root, target))) return [`${page}: ${link}`];
        const known = anchor === undefined || anchorsOf(textOf(target)).includes(anchor);
        return known ? [] : [`${page}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it("names no file of the project that is not there", () => {
    const named =
      everything.match(/(?<!\bdist\/)\b(?:shared|producers|workers|entry|test|scripts|docs)\/[\w./-]*\w/g) ??
      [];
    const missing = named.filter((path) => !existsSync(join(root, path)));
    // Figures are written by the bench.
    expect([...new Set(missing)].filter((path) => path !== "docs/benchmarks.md")).toEqual([]);
  });

  it("names no source file, by its name alone, that is not there", () => {
    const files = new Set(
      ["shared", "producers", "workers", "entry", "test", "scripts"].flatMap((directory) =>
        readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }).map((path) =>
          basename(path),
        ),
      ),
    );
    const named = [...everything.matchAll(/`([\w.-]+\.(?:ts|mjs))`/g)].map(([, name]) => name ?? "");
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !files.has(name) && !existsSync(join(root, name)))).toEqual([]);
  });
});

describe("messages", () => {
  it("name no command that does not exist", () => {
    const named = sources().flatMap((text) =>
      [...text.matchAll(/`mtjobs ([a-z][a-z-]*)/g)].map(([, name]) => name),
    );
    expect(named.filter((name) => !help.has(name ?? ""))).toEqual([]);
  });
});
