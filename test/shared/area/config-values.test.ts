import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type MegatestConfig, readConfig } from "../../../shared/area/config/config.ts";
import { errorOf, temporaryDirectory, writeFile } from "../../support/area.ts";

function read(text: string, env: NodeJS.ProcessEnv = {}, directory = temporaryDirectory()): MegatestConfig {
  const file = writeFile(join(directory, "megatest.config"), text);
  return readConfig({ file, areaPath: "/areas/a1", env });
}

describe("the bytes of a value", () => {
  it("stay as they are, blanks and tabs at its end too", () => {
    const config = read("[setup]\narea-name foo  \nb x\t\nflag  \nnone\nc \u00a0y\u00a0\r\n");
    expect(config.get("setup", "area-name")).toBe("foo  ");
    expect(config.get("setup", "b")).toBe("x\t");
    expect(config.get("setup", "flag")).toBe("  ");
    expect(config.get("setup", "none")).toBe("");
    expect(config.get("setup", "c")).toBe("\u00a0y\u00a0");
  });

  it("lose trailing blanks from where the config says so, in includes and after them", () => {
    const directory = temporaryDirectory();
    writeFile(join(directory, "trim.config"), "[configf:settings trim-trailing-spaces yes]\nb y  \n");
    const config = read(
      "[s]\na x  \n[include trim.config]\nc z #{getenv E}\t \nd  \n",
      { E: "e " },
      directory,
    );
    expect([...config.section("s").values()]).toEqual(["x  ", "y", "z e", ""]);
    const no = read("[configf:settings trim-trailing-spaces no]\n[s]\na x  \n");
    expect(no.get("s", "a")).toBe("x  ");
    expect(read("[configf:settings]\ntrim-trailing-spaces yes\n[s]\na x  \n").get("s", "a")).toBe("x");
  });

  it("are kept in lines that go on, with what they are indented more than the first", () => {
    const config = read("[s]\nb first \n  second \n    third\n  fourth\n");
    expect(config.get("s", "b")).toBe("first \nsecond \n  third\nfourth");
  });
});

describe("a section whose name is a pattern", () => {
  it("is applied to the sections before it that match as a whole, and is none itself", () => {
    const config = read(
      "[setup]\na 1\nb 1\n[setups]\n[set%]\na 2\nc 2\n[/s.*p/]\nb 3\n[setupx]\nd 4\n[my setup]\n[x]\n",
    );
    expect([...config.section("setup")]).toEqual([
      ["a", "2"],
      ["c", "2"],
      ["b", "3"],
    ]);
    expect([...config.section("setups")]).toEqual([
      ["a", "2"],
      ["c", "2"],
    ]);
    expect([...config.section("setupx")]).toEqual([["d", "4"]]);
    expect(config.names("my setup")).toEqual([]);
    expect(config.names("set%")).toEqual([]);
    expect(config.warnings).toEqual([]);
  });

  it("names the area where it is the last word, at the end of a file and of an include", () => {
    const directory = temporaryDirectory();
    writeFile(join(directory, "x.config"), "[%]\narea-name other\n");
    expect(read("[setup]\narea-name one\n[%]\narea-name two\n").get("setup", "area-name")).toBe("two");
    const config = read("[setup]\n[include x.config]\nb 1\n", {}, directory);
    expect([...config.section("setup")]).toEqual([
      ["area-name", "other"],
      ["b", "1"],
    ]);
  });

  it.each(["/(s+)+x/", "/(?=setup)/", "/se{5}/", "/[/", `/${"s*".repeat(50)}/`])(
    "%s is not tried, and what it may set is unknown",
    (name) => {
      const started = performance.now();
      const config = read(`[setup]\na 1\nb 1\n[${"s".repeat(60)}]\n[${name}]\na 2\n[t]\nx 1\n`);
      expect(errorOf(() => config.get("setup", "a"))).toMatchObject({
        code: "bad-config",
        message: expect.stringContaining("[setup] a may be set by"),
      });
      expect(config.get("setup", "b")).toBe("1");
      expect(config.get("t", "a")).toBeUndefined();
      expect(config.warnings).toHaveLength(1);
      expect(performance.now() - started).toBeLessThan(1000);
    },
  );

  it("is refused where many of them meet many sections", () => {
    const sections = Array.from({ length: 3_000 }, (_, n) => `[s${n}]\n[s%x${n}]\na 1\n`).join("");
    const started = performance.now();
    expect(errorOf(() => read(sections)).code).toBe("bad-config");
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
