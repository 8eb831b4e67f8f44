import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { type FoundCache, findCaches } from "../../../shared/area/cache/find-caches.ts";
import { assertSingleCache } from "../../../shared/area/cache/single-cache.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  asUser,
  errorOf,
  isRoot,
  makeArea,
  nobody,
  settingsFor,
  temporaryDirectory,
  writeFile,
} from "../../support/area.ts";
import { holdOpen } from "../../support/queue.ts";

const dayOld = Date.now() / 1000 - 25 * 3600;

/** An area whose config names it `suite`, and a cache root where `put` places caches of it. */
function scene(config = "[setup]\narea-name suite\n") {
  const root = temporaryDirectory();
  const area = openArea(makeArea(join(root, "areas/a.v2"), { "megatest.config": config }));
  const settings = settingsFor({ cacheRoot: join(root, "tmp"), user: "hostuser" });
  const put = (
    owner: string,
    path: string,
    { name = area.name, age = dayOld, uid = process.getuid?.() ?? 0 } = {},
  ) => {
    const directory = join(settings.cacheRoot, owner, "megatest_localdb", name, path.replaceAll("/", "."));
    const file = writeFile(join(directory, "megatest.db"), "rows");
    utimesSync(file, age, age);
    if (uid !== process.getuid?.())
      for (const at of [file, directory, join(settings.cacheRoot, owner)]) chownSync(at, uid, uid);
    return directory;
  };
  return { root, area, settings, put };
}

const me = userInfo().username;
const never = () => "known-rows" as const;

describe("searching an area's caches", () => {
  it("finds the selected pair and those of other users and other paths", () => {
    const { area, settings, put } = scene();
    const selected = put("hostuser", area.path);
    const other = put(me, area.path);
    const alias = put(me, "/mnt/gone/a.v2");
    const { caches, warnings } = findCaches(area, settings);
    expect(Object.fromEntries(caches.map((cache) => [cache.directory, cache.selected]))).toEqual({
      [selected]: true,
      [other]: false,
      [alias]: false,
    });
    expect(caches[0]).toMatchObject({ mtimeMs: expect.closeTo(dayOld * 1000, -1), openBy: [] });
    expect(warnings).toEqual([]);
  });

  it("leaves out the cache of another area that exists", () => {
    const { root, area, settings, put } = scene();
    put(me, makeArea(join(root, "areas/b.v2")));
    put(me, makeArea(join(root, "areas/a/v2/x")));
    expect(findCaches(area, settings).caches).toEqual([]);
  });

  it("keeps a cache whose dotted name can be read as this area and as another", () => {
    const { root, area, settings, put } = scene();
    makeArea(join(root, "areas/a/v2"));
    const directory = put(me, area.path);
    expect(findCaches(area, settings).caches.map((cache) => cache.directory)).toEqual([directory]);
  });

  it("keeps a cache named by a directory that is no area, for another host may mount the area there", () => {
    const { root, area, settings, put } = scene();
    mkdirSync(join(root, "empty"));
    put(me, join(root, "empty"));
    expect(findCaches(area, settings).caches).toHaveLength(1);
  });

  it("keeps a cache by a link to the area", () => {
    const { root, area, settings, put } = scene();
    symlinkSync(area.realPath, join(root, "link"));
    put(me, join(root, "link"));
    expect(findCaches(area, settings).caches).toHaveLength(1);
  });

  it("leaves out caches by another name where the config gives the name, and only there", () => {
    const named = scene();
    named.put(me, "/mnt/x", { name: "other" });
    expect(findCaches(named.area, named.settings).caches).toEqual([]);
    const unnamed = scene("[setup]\n");
    unnamed.put(me, "/mnt/x", { name: "other" });
    expect(findCaches(unnamed.area, unnamed.settings).caches).toHaveLength(1);
  });

  it("leaves out a directory whose owner is not the user it is named by", () => {
    const { area, settings, put } = scene();
    put("no-such-user", area.path);
    if (isRoot) put("nobody", area.path);
    expect(findCaches(area, settings).caches).toEqual([]);
  });

  it("looks a user up once who made a hundred directories with others' names", () => {
    const { root, area, settings, put } = scene();
    for (let n = 0; n < 100; n++) put(`user${n}`, area.path);
    // An `id` that counts how often it is run.
    const asked = join(root, "asked");
    const directory = join(root, "bin");
    mkdirSync(directory);
    writeFileSync(join(directory, "id"), `#!/bin/sh\necho "$@" >> ${asked}\necho stranger\n`, {
      mode: 0o755,
    });
    const { PATH } = process.env;
    process.env.PATH = `${directory}:${PATH}`;
    try {
      expect(findCaches(area, settings).caches).toEqual([]);
    } finally {
      process.env.PATH = PATH;
    }
    const lines = existsSync(asked) ? readFileSync(asked, "utf8").trim().split("\n") : [];
    expect(lines.length).toBeLessThanOrEqual(1);
  });

  it("does not take a cache for one in use because its time is a year ahead", () => {
    const { area, settings, put } = scene();
    put(me, area.path, { age: Date.now() / 1000 + 365 * 86_400 });
    expect(assertSingleCache(area, settings, never)).toEqual([]);
  });

  it("reads a name with more readings than stars in bounded time, and keeps its cache", () => {
    const { root, area, settings, put } = scene("[setup]\n");
    const loop = join(root, "loop");
    mkdirSync(loop);
    for (const name of ["a", "a.a", "a.a.a"]) symlinkSync(".", join(loop, name));
    put(me, `${loop}${"/a".repeat(35)}/missing`);
    const started = performance.now();
    expect(findCaches(area, settings).caches).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.runIf(isRoot)("warns of a user's directory that it may not look into", () => {
    const { root, area, settings, put } = scene();
    put("root", area.path);
    chmodSync(root, 0o755);
    chmodSync(join(root, "tmp/root/megatest_localdb"), 0o700);
    mkdirSync(join(root, "tmp/some-private-directory"), { mode: 0o700 });
    const { warnings } = asUser(nobody, () => findCaches(area, settings));
    expect(warnings).toEqual([expect.stringContaining("tmp/root/megatest_localdb")]);
  });
});

describe.runIf(isRoot)("another user's directory", () => {
  it("that may be entered and not listed hides neither the caches nor that one is in use", () => {
    const { root, area, settings, put } = scene();
    const directory = put("root", area.path, { age: Date.now() / 1000 });
    chmodSync(root, 0o755);
    chmodSync(directory, 0o711);
    asUser(nobody, () => {
      expect(findCaches(area, settings).caches).toMatchObject([{ directory, mtimeMs: expect.any(Number) }]);
      expect(errorOf(() => assertSingleCache(area, settings, never)).code).toBe("several-caches");
    });
  });
});

describe("the rule of a single cache in use", () => {
  it("lets the selected pair pass, however busy it is, beside unused ones", async () => {
    const { area, settings, put } = scene();
    const selected = put("hostuser", area.path, { age: Date.now() / 1000 });
    put(me, area.path);
    await holdOpen(join(selected, "megatest.db"));
    expect(assertSingleCache(area, settings, never)).toEqual([]);
  });

  it("lets an area without any cache pass", () => {
    const { area, settings } = scene();
    expect(assertSingleCache(area, settings, never)).toEqual([]);
  });

  it("refuses another user's cache that changed within a day, naming both", () => {
    const { area, settings, put } = scene();
    const selected = put("hostuser", area.path);
    const other = put(me, area.path, { age: dayOld + 2 * 3600 });
    const error = errorOf(() => assertSingleCache(area, settings, never));
    expect(error).toMatchObject({
      code: "several-caches",
      details: { selected, inUse: [{ directory: other, owner: me }] },
    });
    expect(error.message).toContain(selected);
    expect(error.message).toContain(other);
  });

  it("passes one without a byte in it, however new, unless a process has it open", async () => {
    const { area, settings, put } = scene();
    const file = writeFile(join(put(me, area.path), "megatest.db"), "");
    expect(assertSingleCache(area, settings, never)).toEqual([]);
    if (process.platform !== "linux") return;
    await holdOpen(file);
    expect(errorOf(() => assertSingleCache(area, settings, never)).code).toBe("several-caches");
  });

  it("passes one that holds no run of this area, however new, where its name is not this area's path", () => {
    const { area, settings, put } = scene();
    put(me, "/mnt/gone", { age: Date.now() / 1000 });
    expect(assertSingleCache(area, settings, () => "another-area")).toEqual([]);
    expect(errorOf(() => assertSingleCache(area, settings, never)).code).toBe("several-caches");
  });

  it("refuses the one cache in use where it is not the selected one", () => {
    const { area, settings, put } = scene();
    put(me, area.path, { age: Date.now() / 1000 });
    expect(errorOf(() => assertSingleCache(area, settings, never)).code).toBe("several-caches");
  });

  it.runIf(process.platform === "linux")("refuses an old cache that a process has open", async () => {
    const { area, settings, put } = scene();
    put("hostuser", area.path);
    const pid = await holdOpen(join(put(me, "/mnt/gone"), "megatest.db"));
    expect(errorOf(() => assertSingleCache(area, settings, never)).message).toContain(`process ${pid}`);
  });

  it("refuses an old cache that holds rows of its own", () => {
    const { area, settings, put } = scene();
    const selected = put("hostuser", area.path);
    const other = put(me, area.path);
    const asked: string[] = [];
    const read = ({ megatestDb }: FoundCache) => {
      asked.push(megatestDb);
      return "unknown-rows" as const;
    };
    expect(errorOf(() => assertSingleCache(area, settings, read)).code).toBe("several-caches");
    expect(asked).toEqual([join(other, "megatest.db")]);
    rmSync(selected, { recursive: true });
  });

  it("judges no cache while the area's own databases are locked: the job waits, and tries again", () => {
    const { area, settings, put } = scene();
    put(me, area.path);
    const locked = () => {
      throw new Database.SqliteError("database is locked", "SQLITE_BUSY");
    };
    expect(() => assertSingleCache(area, settings, locked)).toThrow("database is locked");
  });

  it("does not pass a cache that is being written to, nor one that there is no room to copy", () => {
    const { area, settings, put } = scene();
    put(me, area.path);
    const fail = (code: "busy" | "disk-full") => () => {
      throw new JobsError(code, "so it is");
    };
    expect(errorOf(() => assertSingleCache(area, settings, () => "being-written")).code).toBe(
      "several-caches",
    );
    expect(errorOf(() => assertSingleCache(area, settings, fail("disk-full"))).code).toBe("disk-full");
  });

  it("warns of a cache that cannot be read instead of failing", () => {
    const { area, settings, put } = scene();
    put(me, area.path);
    const warnings = assertSingleCache(area, settings, () => {
      throw Object.assign(new Error("not readable"), { code: "SQLITE_CANTOPEN" });
    });
    expect(warnings.join()).toContain("SQLITE_CANTOPEN");
  });

  it.runIf(isRoot)("warns where its owner's processes cannot be inspected", async () => {
    const { area, settings, put, root } = scene();
    put("root", area.path);
    chmodSync(root, 0o755);
    await holdOpen(join(root, "areas/a.v2/megatest.config"));
    const warnings = asUser(nobody, () => assertSingleCache(area, { ...settings, user: "root" }, never));
    expect(warnings).toEqual([]);
    const others = asUser(nobody, () => assertSingleCache(area, settings, never));
    expect(others.join()).toContain("a process of root");
  });
});
