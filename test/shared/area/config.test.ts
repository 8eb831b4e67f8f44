import { existsSync, mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MegatestConfig, readConfig } from "../../../shared/area/config/config.ts";
import { JobsError } from "../../../shared/errors.ts";
import { errorOf, makeFifo, temporaryDirectory, writeFile } from "../../support/area.ts";

function read(text: string, env: NodeJS.ProcessEnv = {}, directory = temporaryDirectory()): MegatestConfig {
  const file = writeFile(join(directory, "megatest.config"), text);
  return readConfig({ file, areaPath: "/areas/a1", env });
}

describe("reading megatest.config", () => {
  it("takes names and values by section, the last value winning, comments and blank lines aside", () => {
    const config = read(
      "early 1\n# comment\n[setup]\nname  some value  \n  # indented comment\n\nname other\nflag\n[b c]\nx\t1\r\n",
    );
    expect(config.get("default", "early")).toBe("1");
    expect(config.get("setup", "name")).toBe("other");
    expect(config.get("setup", "flag")).toBe("");
    expect(config.get("b c", "x")).toBe("1");
    expect(config.get("setup", "absent")).toBeUndefined();
    expect(config.get("absent", "name")).toBeUndefined();
    expect([...config.section("setup")]).toEqual([
      ["name", "other"],
      ["flag", ""],
    ]);
    expect(config.warnings).toEqual([]);
  });

  it("joins a line that ends in a backslash and appends an indented one", () => {
    const config = read("[s]\na one \\\ntwo\nb first\n   second\n   third\n\n   stray\n");
    expect(config.get("s", "a")).toBe("one two");
    expect(config.get("s", "b")).toBe("first\nsecond\nthird");
  });

  it("resolves getenv, get and mtrah, nested too, from what stands before", () => {
    const config = read(
      [
        "[s]",
        "home #{getenv HOME}/x",
        "again #{get s home}#{g s home}",
        "nested #{getenv #{get s which}}",
        "which WHO",
        "nested2 #{gv #{get s which}}",
        "area #{mtrah sub/x} #{getenv MT_RUN_AREA_HOME}",
        "other #{unknown thing} #{get} {#{getenv WHO}}",
      ].join("\n"),
      { HOME: "/home/u", WHO: "me" },
    );
    expect(config.get("s", "again")).toBe("/home/u/x/home/u/x");
    expect(config.get("s", "nested2")).toBe("me");
    expect(config.get("s", "area")).toBe("/areas/a1/sub/x /areas/a1");
    expect(config.get("s", "other")).toBe("#{unknown thing} #{get} {me}");
    expect(errorOf(() => config.get("s", "nested")).code).toBe("bad-config");
  });

  it("sees a plain value of [env-override] as Megatest's environment, and no value that a shell would expand", () => {
    const config = read("[env-override]\nA plain/value\nB $HOME/x\n[s]\na #{getenv A}\nb #{getenv B}\n", {
      A: "old",
    });
    expect(config.get("s", "a")).toBe("plain/value");
    expect(errorOf(() => config.get("s", "b")).code).toBe("bad-config");
  });

  it("keeps the settings of this program, which may be secret, from a config", () => {
    const config = read("[s]\na #{getenv MTJOBS_TOKEN}\n", { MTJOBS_TOKEN: "secret" });
    const error = errorOf(() => config.get("s", "a"));
    expect(JSON.stringify(error.toDocument())).not.toContain("secret");
  });

  it.each([
    "#{shell touch RAN}",
    "#{sh touch RAN}",
    "#{system touch RAN}",
    '#{scheme (system "touch RAN")}',
    '#{scm (system "touch RAN")}',
    "[system touch RAN]",
    "#{rget x}",
    "#{rp x}",
    "#{getenv EVIL}",
    "#{#{getenv WORD} touch RAN}",
  ])("never runs %s: the value is an error only for who asks for it", (value) => {
    const directory = temporaryDirectory();
    const ran = join(directory, "ran");
    const line = value.replace("RAN", ran);
    const env = { EVIL: `#{shell touch ${ran}}`, WORD: "shell" };
    const config = read(`# ${line}\n[s]\nbad ${line}\ngood 1\nuses #{get s bad}\n`, env, directory);
    expect(config.get("s", "good")).toBe("1");
    expect(config.names("s")).toEqual(["bad", "good", "uses"]);
    expect(errorOf(() => config.get("s", "bad"))).toMatchObject({
      code: "bad-config",
      details: { name: "bad" },
    });
    expect(errorOf(() => config.get("s", "uses")).code).toBe("bad-config");
    expect(errorOf(() => config.section("s")).code).toBe("bad-config");
    expect(existsSync(ran)).toBe(false);
  });

  it("skips with a warning what a directive would name: sections, names, includes and scripts", () => {
    const config = read(
      "[s]\na 1\n[#{shell x}]\na 2\n[include #{shell y}]\n[scriptinc ./z p]\n[t]\n#{shell w} v\n",
    );
    expect(config.get("s", "a")).toBe("1");
    expect(config.warnings).toHaveLength(4);
  });

  it("ends a value that refers to itself or doubles itself again and again", () => {
    const doubling = Array.from({ length: 40 }, (_, i) => `v${i + 1} #{get s v${i}}#{get s v${i}}`).join(
      "\n",
    );
    const config = read(`[s]\nself #{get s self}\nloop #{getenv LOOP}\nv0 xxxxxxxx\n${doubling}\n`, {
      LOOP: "#{getenv LOOP}",
    });
    for (const name of ["self", "loop", "v40"])
      expect(errorOf(() => config.get("s", name)).code).toBe("bad-config");
  });

  it("refuses a config that grows out of bounds by references", () => {
    const long = `v ${"x".repeat(60_000)}\n${"w #{get s v}\n".repeat(1000)}`;
    expect(errorOf(() => read(`[s]\n${long}`)).code).toBe("bad-config");
  });

  it("takes a hostile line of directives that never close in linear time", () => {
    const started = performance.now();
    const config = read(
      `[s]\na ${"#{get ".repeat(20_000)}\nb #{get${" ".repeat(100_000)}\nc [${"]".repeat(50_000)}x\n`,
    );
    expect(config.names("s")).toEqual(["a", "b", "c"]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("answers any text with a config or bad-config", () => {
    const directory = temporaryDirectory();
    const piece = fc.constantFrom(
      "[",
      "]",
      "#{",
      "}",
      "get ",
      "getenv ",
      "shell ",
      "s a",
      "\n",
      "\\",
      " ",
      "include ",
      "x",
    );
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join("")),
        (text) => {
          try {
            return read(text, {}, directory).warnings.length >= 0;
          } catch (error) {
            return error instanceof JobsError && error.code === "bad-config";
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("includes of megatest.config", () => {
  it("are read relative to the file that names them, in the section they stand in", () => {
    const directory = temporaryDirectory();
    writeFile(join(directory, "conf/one.config"), "a 1\n[include two.config]\n[own]\nb 2\n");
    writeFile(join(directory, "conf/two.config"), "c 3\n");
    const config = read("[s]\n[include conf/one.config]\nd 4\n", {}, directory);
    expect([...config.section("s")].map(([name]) => name)).toEqual(["a", "c", "d"]);
    expect(config.get("own", "b")).toBe("2");
  });

  it("are found below the user's home directory if they begin with a tilde", () => {
    const directory = temporaryDirectory();
    writeFile(join(directory, "home/x.config"), "[s]\na 1\n");
    const env = { HOME: join(directory, "home") };
    expect(read("[include ~/x.config]\n", env, directory).get("s", "a")).toBe("1");
    expect(read("[include ~nobody-of-that-name/x]\n", env, directory).warnings.join()).toContain("not found");
  });

  it("are found by a safe directive in their path", () => {
    const directory = temporaryDirectory();
    writeFile(join(directory, "x.config"), "[s]\na 1\n");
    expect(read("[include #{getenv DIR}/x.config]\n", { DIR: directory }, directory).get("s", "a")).toBe("1");
  });

  it("are skipped with a warning if they are missing, as Megatest skips them", () => {
    const config = read("[s]\n[include none.config]\na 1\n");
    expect(config.get("s", "a")).toBe("1");
    expect(config.warnings).toHaveLength(1);
  });

  it("are refused if they include themselves", () => {
    expect(errorOf(() => read("[include megatest.config]\n")).code).toBe("bad-config");
  });

  it("are refused if they nest deeper than the limit", () => {
    const directory = temporaryDirectory();
    for (let i = 0; i < 20; i++) writeFile(join(directory, `c${i}`), `[include c${i + 1}]\n`);
    writeFile(join(directory, "c20"), "a 1\n");
    expect(read("[include c10]\n", {}, directory).get("default", "a")).toBe("1");
    expect(errorOf(() => read("[include c0]\n", {}, directory)).code).toBe("bad-config");
  });

  it("are refused where two by two they multiply", () => {
    const directory = temporaryDirectory();
    for (let i = 0; i < 12; i++) {
      writeFile(join(directory, `c${i}`), `[include c${i + 1}]\n[include c${i + 1}]\n`);
    }
    writeFile(join(directory, "c12"), "a 1\n");
    expect(errorOf(() => read("[include c0]\n", {}, directory)).code).toBe("bad-config");
  });

  it.each([
    ["a FIFO", (path: string) => makeFifo(path)],
    ["a directory", (path: string) => mkdirSync(path)],
    ["a binary file", (path: string) => void writeFile(path, "a\0b")],
    ["a huge sparse file", (path: string) => truncateSync(writeFile(path, ""), 2 ** 40)],
    ["a device", (path: string) => symlinkSync("/dev/zero", path)],
  ])("are refused in bounded time if one is %s", (_what, make) => {
    const directory = temporaryDirectory();
    make(join(directory, "evil"));
    const started = performance.now();
    expect(errorOf(() => read("[include evil]\n", {}, directory)).code).toBe("bad-config");
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
