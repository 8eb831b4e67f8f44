import { chmodSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environmentName, readSettingsFile, resolveSettings } from "../../shared/settings/settings.ts";
import { temporaryDirectory } from "../support/area.ts";

const badSettings = expect.objectContaining({ code: "bad-settings" });

describe("settings", () => {
  it("have the documented defaults", () => {
    expect(resolveSettings()).toEqual({
      redisUrl: "redis://127.0.0.1:6379",
      lockRedisUrls: ["redis://127.0.0.1:6379"],
      prefix: "{mtjobs}",
      host: hostname(),
      address: undefined,
      areas: [],
      exports: [],
      cacheRoot: "/tmp",
      user: userInfo().username,
      token: undefined,
      tokensFile: undefined,
      trustProxy: [],
      userHeader: undefined,
      basePath: "",
      webhookUrl: undefined,
      webhookSecret: undefined,
      tracesUrl: undefined,
      logLevel: "info",
    });
  });

  it("come from the flag, then the environment, then the file", () => {
    const sources = {
      flags: { host: "flag", user: undefined },
      env: { MTJOBS_HOST: "env", MTJOBS_USER: "env", MTJOBS_PREFIX: "" },
      file: { host: "file", user: "file", prefix: "file" },
    };
    expect(resolveSettings(sources)).toMatchObject({ host: "flag", user: "env", prefix: "file" });
  });

  it("have environment variables in capitals", () => {
    expect(environmentName("lockRedisUrls")).toBe("MTJOBS_LOCK_REDIS_URLS");
  });

  it("split the roots at colons and the lock servers at commas, blanks and empty ones aside", () => {
    const env = {
      MTJOBS_AREAS: "/a:: /b c :",
      MTJOBS_LOCK_REDIS_URLS: "redis://a:1, rediss://b:2,",
      MTJOBS_REDIS_URL: "unix:///run/redis.sock",
    };
    expect(resolveSettings({ env })).toMatchObject({
      areas: ["/a", "/b c"],
      lockRedisUrls: ["redis://a:1", "rediss://b:2"],
      redisUrl: "unix:///run/redis.sock",
    });
    expect(resolveSettings({ file: { areas: ["/a:b"] } }).areas).toEqual(["/a:b"]);
  });

  it.each([
    ...["10.0.0.2/24", "10.0.0.2 ", "a b", "-x", "10.0.0.2\n", "{}"],
    ...["10.0.0.300", "1.2.3.04", "hosta:80", "10.0.0.2:80", "fe80:1"],
  ])("refuse the address %j, which no .homehost may hold", (address) => {
    expect(() => resolveSettings({ flags: { address } })).toThrow(badSettings);
    expect(() => resolveSettings({ env: { MTJOBS_ADDRESS: address } })).toThrow(badSettings);
  });

  it.each(["10.0.0.2", "255.10.0.2", "host-b.site", "10.0.0.2.site", "7", "fe80::1", "fe80::10.0.0.1"])(
    "take the address %s, as .homehost may hold it",
    (address) => {
      expect(resolveSettings({ flags: { address } }).address).toBe(address);
    },
  );

  it("use the queue's server for locks if no other is named", () => {
    expect(resolveSettings({ env: { MTJOBS_REDIS_URL: "redis://x:1" } }).lockRedisUrls).toEqual([
      "redis://x:1",
    ]);
  });

  it.each([
    ["MTJOBS_REDIS_URL", "http://x"],
    ["MTJOBS_LOCK_REDIS_URLS", "redis://a,b"],
    ["MTJOBS_AREAS", "/a:relative"],
    ["MTJOBS_CACHE_ROOT", "tmp"],
    ["MTJOBS_USER", "../root"],
    ["MTJOBS_HOST", "a:b"],
    ["MTJOBS_HOST", "-rf"],
    ["MTJOBS_LOG_LEVEL", "loud"],
    ["MTJOBS_TRUST_PROXY", "127.0.0.1,10.1"],
    ["MTJOBS_BASE_PATH", "/farm/../jobs"],
    ["MTJOBS_BASE_PATH", "/."],
  ])("refuse %s=%s, naming the variable", (name, value) => {
    expect(() => resolveSettings({ env: { [name]: value } })).toThrow(
      expect.objectContaining({ code: "bad-settings", message: expect.stringContaining(name) }),
    );
  });

  it.each(
    Object.keys(resolveSettings()).flatMap((name) =>
      [`\${${environmentName(name)}:-}`, `\${OTHER}`, "$OTHER"].map((value) => [name, value]),
    ),
  )("refuse for %s the variable %s that nothing expanded", (name, value) => {
    const variable = environmentName(name);
    const refusal = expect.objectContaining({
      code: "bad-settings",
      message: expect.stringContaining(variable),
      hint: expect.stringContaining(`correct ${variable}`),
    });
    expect(() => resolveSettings({ env: { [variable]: value } })).toThrow(refusal);
    expect(() => resolveSettings({ file: { [name]: value } })).toThrow(badSettings);
  });

  it("take a token with a dollar sign in it", () => {
    for (const token of ["$ecret", `a\${b}`, `\${a}b`, "$"])
      expect(resolveSettings({ env: { MTJOBS_TOKEN: token } }).token).toBe(token);
  });

  it("are refused with their source and an example, an address with its value", () => {
    const address = "10.0.0.2/24";
    const errorFrom = (origin: string) =>
      expect.objectContaining({
        message: expect.stringContaining(
          `setting address (MTJOBS_ADDRESS): "${address}" must be a single address`,
        ),
        hint: `correct ${origin}, for example 10.0.0.11 or hosta`,
      });
    expect(() => resolveSettings({ flags: { address } })).toThrow(errorFrom("--address"));
    expect(() => resolveSettings({ env: { MTJOBS_ADDRESS: address } })).toThrow(errorFrom("MTJOBS_ADDRESS"));
    expect(() => resolveSettings({ file: { address } })).toThrow(errorFrom("address in mtjobs.json"));
  });

  it.each([
    ["host", "a b"],
    ["logLevel", "loud"],
    ["user", "../root"],
    ["areas", "/a:relative"],
    ["cacheRoot", "tmp"],
  ])("are refused with the value of %s and the file it stands in", (name, value) => {
    expect(() => resolveSettings({ file: { [name]: value }, filePath: "/home/ann/mtjobs.json" })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(`: "${value}" must`),
        hint: expect.stringMatching(`^correct ${name} in /home/ann/mtjobs.json`),
      }),
    );
  });

  it.each([
    ["token", ""],
    ["tracesUrl", "ftp://me:cret@x"],
    ["redisUrl", "http://me:cret@x"],
    ["host", "redis://:cret@x"],
    ["logLevel", "me:cret@x"],
  ])("are refused without the value if %s may hold a secret", (name, value) => {
    const refused = () => resolveSettings({ file: { [name]: value } });
    expect(refused).toThrow(expect.objectContaining({ message: expect.stringMatching(/\): must/) }));
    expect(refused).not.toThrow(/cret/);
  });

  it.each(["MTJOBS_REDIS_URL", "MTJOBS_LOCK_REDIS_URLS"])("name %s if a URL in it cannot be read", (name) => {
    const refused = () => resolveSettings({ env: { [name]: "redis://:se/cret@127.0.0.1:7951" } });
    expect(refused).toThrow(
      expect.objectContaining({
        code: "bad-settings",
        message: expect.stringMatching(
          new RegExp(`\\(${name}\\): Redis URL redis://:\\*\\*\\*@.*percent-encoded`),
        ),
        hint: expect.stringContaining("for example redis://"),
      }),
    );
    expect(refused).not.toThrow(/cret/);
  });

  it("refuse a misspelt member of the file", () => {
    expect(() => resolveSettings({ file: { hots: "x" } })).toThrow(badSettings);
  });

  it.each([{ areas: [5] }, { areas: 5 }, { host: null }, { token: "" }, { user: ["x"] }])(
    "refuse a file with the wrong kind of value %j",
    (file) => {
      expect(() => resolveSettings({ file })).toThrow(badSettings);
    },
  );

  it.each([[[]], ["text"], [null], [5]])("refuse a file that holds %j in place of an object", (file) => {
    expect(() => resolveSettings({ file })).toThrow(badSettings);
  });
});

describe("the settings file", () => {
  it("is the first one found, and an empty object without one", () => {
    const [first, second] = [temporaryDirectory(), temporaryDirectory()];
    expect(readSettingsFile([first, second])).toEqual({});
    writeFileSync(join(second, "mtjobs.json"), '{"host":"two"}');
    expect(readSettingsFile([first, second]).file).toEqual({ host: "two" });
    writeFileSync(join(first, "mtjobs.json"), '{"host":"one"}');
    expect(readSettingsFile([first, second])).toEqual({
      file: { host: "one" },
      filePath: join(first, "mtjobs.json"),
    });
  });

  it("is named with the settings that there are if it holds another one", () => {
    const directory = temporaryDirectory();
    const file = join(directory, "mtjobs.json");
    writeFileSync(file, '{"adress":"10.0.0.2"}');
    expect(() => readSettingsFile([directory])).toThrow(
      expect.objectContaining({
        code: "bad-settings",
        message: `${file}: unknown setting "adress"`,
        hint: expect.stringContaining("address"),
      }),
    );
  });

  it("is refused where it is no JSON", () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "mtjobs.json"), "{");
    expect(() => readSettingsFile([directory])).toThrow(badSettings);
  });

  it.runIf(process.geteuid?.() !== 0)("is refused where it cannot be read", () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "mtjobs.json"), "{}");
    chmodSync(join(directory, "mtjobs.json"), 0);
    expect(() => readSettingsFile([directory])).toThrow(badSettings);
  });
});
