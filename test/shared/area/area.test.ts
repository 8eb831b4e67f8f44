import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { targetKeys } from "../../../shared/area/config/config.ts";
import {
  asUser,
  errorOf,
  makeArea,
  makeFifo,
  nobody,
  temporaryDirectory,
  writeFile,
} from "../../support/area.ts";

describe("opening an area", () => {
  it("keeps the path as given and resolves its links", () => {
    const root = temporaryDirectory();
    makeArea(join(root, "real"));
    symlinkSync(join(root, "real"), join(root, "alias"));
    const area = openArea(join(root, "alias"));
    expect(area).toMatchObject({
      path: join(root, "alias"),
      realPath: join(root, "real"),
      megatestDb: join(root, "real/megatest.db"),
      completedDb: join(root, "real/completed-runs.db"),
      privateDir: join(root, "real/.mtjobs"),
      homehostFile: join(root, "real/.homehost"),
      name: "alias",
    });
    expect(targetKeys(area.config)).toEqual(["sysname"]);
  });

  it.each([".mtdb", ".megatest", ".db"])(
    "refuses a later Megatest's layout, main.db in %s, and names it",
    (name) => {
      const area = makeArea(temporaryDirectory());
      mkdirSync(join(area, name));
      expect(openArea(area).path).toBe(area);
      writeFileSync(join(area, name, "main.db"), "");
      expect(errorOf(() => openArea(area))).toMatchObject({
        code: "not-an-area",
        message: `${area} is an area of a later Megatest, whose runs are beside ${name}/main.db`,
      });
    },
  );

  it("lists the target keys in the order of the config", () => {
    const config =
      "[fields]\nsysname TEXT\nfsname #{shell echo TEXT}\n datapath\n[setup]\nx y\n[fields]\nlast\n";
    const area = openArea(makeArea(temporaryDirectory(), { "megatest.config": config }));
    expect(targetKeys(area.config)).toEqual(["sysname", "fsname", "last"]);
  });

  it.each([
    ["[setup]\narea-name one\ntestsuite two\n", "one"],
    ["[setup]\ntestsuite two\n", "two"],
    ["[setup]\n", "fromEnv"],
  ])("names the area by %j before the environment and the directory", (config, name) => {
    const path = makeArea(join(temporaryDirectory(), "dir.v2"), { "megatest.config": config });
    expect(openArea(path, { env: { MT_TESTSUITE_NAME: "fromEnv" } }).name).toBe(name);
  });

  it.each([
    ["area.v2", "area"],
    ["area.v2.1", "area.v2"],
    [".hidden", ".hidden"],
    ["area.", "area."],
    ["plain", "plain"],
  ])("takes from the directory %s the name %s, without its extension", (base, name) => {
    expect(openArea(makeArea(join(temporaryDirectory(), base))).name).toBe(name);
  });

  it.each(["../../etc", "a/b", "..", ""])(
    "refuses the area name %j, which would leave the cache root",
    (name) => {
      const path = makeArea(temporaryDirectory(), { "megatest.config": `[setup]\narea-name ${name}\n` });
      expect(errorOf(() => openArea(path)).code).toBe("bad-config");
    },
  );

  it("keeps blanks at the end of a name, which are part of its cache's path", () => {
    for (const name of ["foo  ", "foo\t", "bücher \u00a0"]) {
      const path = makeArea(temporaryDirectory(), { "megatest.config": `[setup]\narea-name ${name}\n` });
      expect(openArea(path).name).toBe(name);
    }
  });

  it("refuses a name in bytes that are not UTF-8, by which no cache could be opened, and one longer than a directory's", () => {
    const path = makeArea(temporaryDirectory());
    writeFileSync(
      join(path, "megatest.config"),
      Buffer.from("# caf\xe9\n[setup]\narea-name caf\xe9\n", "latin1"),
    );
    expect(errorOf(() => openArea(path))).toMatchObject({
      code: "bad-config",
      message: expect.stringContaining("not valid UTF-8"),
    });
    writeFileSync(join(path, "megatest.config"), Buffer.from("# caf\xe9\n[setup]\narea-name x\n", "latin1"));
    expect(openArea(path).name).toBe("x");
    writeFileSync(join(path, "megatest.config"), `[setup]\narea-name ${"ü".repeat(128)}\n`);
    expect(errorOf(() => openArea(path)).message).toContain("256 bytes");
  });

  it("refuses an area name that only a command could tell, without running it", () => {
    const root = temporaryDirectory();
    const path = makeArea(root, {
      "megatest.config": `[setup]\narea-name #{shell touch ${root}/ran; echo x}\n`,
    });
    expect(errorOf(() => openArea(path))).toMatchObject({ code: "bad-config" });
    expect(existsSync(join(root, "ran"))).toBe(false);
  });

  it.each(["megatest.db", "megatest.config"])("refuses a directory without a %s as no area", (name) => {
    const path = makeArea(temporaryDirectory());
    rmSync(join(path, name));
    expect(errorOf(() => openArea(path)).code).toBe("not-an-area");
  });

  it("says of a path that is not UTF-8 that it is not", () => {
    const path = makeArea(temporaryDirectory());
    expect(errorOf(() => openArea(join(path, "caf\ufffd")))).toMatchObject({
      code: "not-an-area",
      message: expect.stringContaining("path is not valid UTF-8"),
    });
  });

  it("refuses a file, and a path that does not exist, as no area", () => {
    const root = temporaryDirectory();
    writeFile(join(root, "file"), "");
    expect(errorOf(() => openArea(join(root, "file"))).code).toBe("not-an-area");
    expect(errorOf(() => openArea(join(root, "none"))).code).toBe("not-an-area");
  });

  it("refuses at once an area whose database is a FIFO", () => {
    const path = makeArea(temporaryDirectory());
    rmSync(join(path, "megatest.db"));
    makeFifo(join(path, "megatest.db"));
    expect(errorOf(() => openArea(path)).code).toBe("not-an-area");
  });

  it("refuses at once an area whose config is a FIFO", () => {
    const path = makeArea(temporaryDirectory());
    rmSync(join(path, "megatest.config"));
    makeFifo(join(path, "megatest.config"));
    expect(errorOf(() => openArea(path)).code).toBe("bad-config");
  });

  it.each([
    "megatest.db",
    "megatest.db-journal",
    "megatest.db-wal",
    "completed-runs.db",
    "completed-runs.db-journal",
    ".mtjobs",
  ])("refuses an area whose %s is a link that leads out of it", (name) => {
    const root = temporaryDirectory();
    const path = makeArea(join(root, "area"));
    rmSync(join(path, name), { force: true });
    if (name === ".mtjobs") mkdirSync(join(root, "target"));
    else writeFile(join(root, "target"), "");
    symlinkSync(join(root, "target"), join(path, name));
    expect(errorOf(() => openArea(path)).code).toBe("not-an-area");
  });

  it("accepts a database that is a link to another file of the same area", () => {
    const path = makeArea(temporaryDirectory(), { "db/real.db": "" });
    rmSync(join(path, "megatest.db"));
    symlinkSync("db/real.db", join(path, "megatest.db"));
    expect(openArea(path).megatestDb).toBe(join(path, "db/real.db"));
  });
});

describe("allowed roots", () => {
  it("let an area below a root pass, also by a link and by a root that is a link", () => {
    const root = temporaryDirectory();
    const path = makeArea(join(root, "areas/a1"));
    symlinkSync(join(root, "areas"), join(root, "link"));
    expect(openArea(join(root, "link/a1"), { roots: [join(root, "areas")] }).realPath).toBe(path);
    expect(openArea(path, { roots: [join(root, "none"), join(root, "link")] }).realPath).toBe(path);
    expect(openArea(path, { roots: ["/"] }).realPath).toBe(path);
  });

  it("refuse everything where the list is empty", () => {
    const path = makeArea(temporaryDirectory());
    expect(errorOf(() => openArea(path, { roots: [] })).code).toBe("outside-roots");
  });

  it("refuse a directory that only begins like a root", () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "areas"));
    const path = makeArea(join(root, "areas2"));
    expect(errorOf(() => openArea(path, { roots: [join(root, "areas")] })).code).toBe("outside-roots");
  });

  it("do not tell whether a path outside of them exists", () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "areas"));
    makeArea(join(root, "secret"));
    mkdirSync(join(root, "secret/plain"));
    symlinkSync(join(root, "secret"), join(root, "areas/out"));
    symlinkSync(join(root, "missing"), join(root, "areas/dangling"));
    const refusals = [
      "secret",
      "missing",
      "missing/below",
      "areas/out",
      "areas/out/plain",
      "areas/out/none",
      "areas/dangling",
    ].map((name) => {
      const path = join(root, name);
      const { code, message } = errorOf(() => openArea(path, { roots: [join(root, "areas")] }));
      return `${code} ${message.replace(path, "PATH")}`;
    });
    expect(new Set(refusals)).toEqual(new Set(["outside-roots PATH is not inside the allowed roots"]));
  });

  it("say of a missing directory inside them that it is no area", () => {
    const root = temporaryDirectory();
    expect(errorOf(() => openArea(join(root, "a/b"), { roots: [root] })).code).toBe("not-an-area");
  });

  it("refuse a config, and an include, that lie outside", () => {
    const root = temporaryDirectory();
    const path = makeArea(join(root, "areas/a1"), { "megatest.config": "[include ../../outside.config]\n" });
    writeFile(join(root, "outside.config"), "[setup]\narea-name stolen\n");
    expect(errorOf(() => openArea(path, { roots: [join(root, "areas")] })).code).toBe("outside-roots");
    expect(openArea(path).name).toBe("stolen");
    rmSync(join(path, "megatest.config"));
    symlinkSync(join(root, "outside.config"), join(path, "megatest.config"));
    expect(errorOf(() => openArea(path, { roots: [join(root, "areas")] })).code).toBe("outside-roots");
  });

  it("keep a missing area and one that this user may not enter from being told apart", () => {
    const root = temporaryDirectory();
    makeArea(join(root, "closed/a1"));
    chmodSync(join(root, "closed"), 0o000);
    chmodSync(root, 0o755);
    const refusal = (name: string) => {
      const path = join(root, "closed", name);
      const { code, message } = errorOf(() => openArea(path, { roots: [root] }));
      return `${code} ${message.replace(path, "PATH")}`;
    };
    const [there, missing] = asUser(nobody, () => [refusal("a1"), refusal("none")]);
    chmodSync(join(root, "closed"), 0o700);
    expect(there).toBe(missing);
    expect(there).toContain("not-an-area");
  });
});
