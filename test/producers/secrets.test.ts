import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { redisLocation, withoutPassword } from "../../shared/settings/redis-url.ts";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import {
  canStartServer,
  errorCodeOf,
  type Finished,
  runCommand,
  startCommand,
  withServer,
} from "../support/queue.ts";

/** Each piece is long enough to give the whole away; between them stands what ends a part of a URL. */
const pieces = ["Zq7wX", "Lm4vB", "Hd9sR", "Tk2yN", "Gf6cJ", "Pw3xD"];
const [a, b, c, d, e, f] = pieces;
const raw = `${a}/${b}#${c}?${d}%${e}@${f}`;
const escaped = encodeURIComponent(raw);
const token = `${a}-${b}-${c}-${d}-${e}-${f}`;

function assertSilent(text: string): void {
  for (const piece of pieces) expect(text).not.toContain(piece);
}

function assertQuiet({ stdout, stderr }: Finished): void {
  assertSilent(stdout);
  assertSilent(stderr);
}

const urls = [
  `redis://:${raw}@127.0.0.1:1`,
  `redis://me:${raw}@127.0.0.1:1/0`,
  `rediss://${raw}@127.0.0.1:1`,
  `redis://:${a}/${b}@127.0.0.1:1`,
  `redis://:${a}#${b}@127.0.0.1:1`,
  `redis://:${a}?${b}@127.0.0.1:1`,
  `redis://:${a}%${b}@127.0.0.1:1`,
  `redis://:${a}%zz@127.0.0.1:1`,
  `redis://:${a}`,
  `redis://:${a}/${b}`,
  `redis://127.0.0.1:1/${a}`,
  `redis://127.0.0.1:1?password=${a}`,
  `redis://127.0.0.1:${a}`,
  `redis://[${a}]:1`,
  `unix://:${raw}@/nowhere/redis.sock`,
  `unix://:${escaped}@/nowhere/redis.sock`,
  `redis+sentinel://:${raw}@127.0.0.1:1/mine`,
  `redis+sentinel://:${escaped}@127.0.0.1:1`,
  `redis+cluster://:${escaped}@127.0.0.1:1/3`,
  `redis+cluster://:${raw}@127.0.0.1:1`,
  `redis://:${escaped}@127.0.0.1:1,127.0.0.1:2`,
  `:${raw}@127.0.0.1:1`,
];

describe("a secret in a Redis URL", () => {
  it.each(urls)("is in neither what is shown of it nor in what is thrown, case %#", (url) => {
    assertSilent(withoutPassword(url));
    try {
      redisLocation(url);
    } catch (error) {
      expect(error).toMatchObject({ code: "bad-settings" });
      assertSilent([String(error), JSON.stringify(error), (error as Error).stack].join("\n"));
    }
  });

  it.each(["/", "#", "?", "%"])(
    "with %s that is not escaped is refused with what to write instead",
    (character) => {
      const encoded = encodeURIComponent(character);
      expect(() => redisLocation(`redis://me:one${character}two@h:7000/3`)).toThrow(
        /^Redis URL redis:\/\/me:\*\*\*@h:7000\/3: .*percent-encoded/,
      );
      expect(redisLocation(`redis://me:one${encoded}two@h:7000/3`).options).toMatchObject({
        username: "me",
        password: `one${character}two`,
      });
    },
  );

  it("stays unsaid by every command, whatever way it is given and whatever is wrong", async () => {
    const areas = temporaryDirectory();
    for (const [index, url] of [...urls, `redis://:${escaped}@127.0.0.1:1`, raw].entries()) {
      const line = [["jobs"], ["worker", "--areas", areas], ["serve"], ["status"]][index % 4] ?? [];
      const lock =
        index % 3 === 0
          ? { MTJOBS_LOCK_REDIS_URLS: url, MTJOBS_REDIS_URL: "redis://127.0.0.1:1" }
          : undefined;
      const env = lock ?? { MTJOBS_REDIS_URL: url };
      const finished = await runCommand([...line, "--json", "--log-level", "trace"], { env });
      expect([url, finished.code]).not.toEqual([url, 0]);
      assertQuiet(finished);
      if (index % 5 === 0) assertQuiet(await runCommand([...line, "--redis-url", url]));
    }
  });

  it("stays unsaid where mtjobs.json holds it and is no JSON, or no setting, or an option is misspelt", async () => {
    const cwd = temporaryDirectory();
    for (const text of [
      `{ "token": ${token} }`,
      `{ "redisUrl": "redis://:${raw}@h", }`,
      `{ "token": "${token}" "x" }`,
      `redis://:${raw}@h`,
      `"${token}"`,
      `{ "tokens": "${token}" }`,
      `{ "token": ["${token}"], "logLevel": "${token}" }`,
    ]) {
      writeFileSync(join(cwd, "mtjobs.json"), text);
      const finished = await runCommand(["jobs", "--json"], { cwd });
      expect([finished.code, errorCodeOf(finished)]).toEqual([2, "bad-settings"]);
      assertQuiet(finished);
    }
    assertQuiet(await runCommand(["jobs", `--redis-urls=redis://:${raw}@h`, `--tokn=${token}`]));
    assertQuiet(await runCommand(["jobs", `--tokn=${token}`, "--json"]));
    assertQuiet(await runCommand(["jobs", "--log-level", token]));
  });
});

describe.skipIf(!canStartServer)("a secret that Redis or a client is asked for", () => {
  it("stays unsaid where it is the wrong one, and where it is taken back at work, at the most talkative log level", () =>
    withServer(
      ["--requirepass", "right"],
      async (url) => {
        const areas = temporaryDirectory();
        mkdirSync(join(areas, "a"));
        const wrong = url.replace("redis://", `redis://:${escaped}@`);
        for (const line of [["jobs"], ["worker", "--areas", areas], ["serve"], ["demo"]]) {
          const finished = await runCommand([...line, "--log-level", "trace"], {
            env: { MTJOBS_REDIS_URL: wrong },
          });
          expect([line, finished.code]).not.toEqual([line, 0]);
          assertQuiet(finished);
        }
      },
      "right",
    ));

  it("stays unsaid by a worker and a server whose password is another one after a while", () =>
    withServer(
      ["--requirepass", token],
      async (url) => {
        const env = {
          MTJOBS_REDIS_URL: url.replace("redis://", `redis://:${token}@`),
          MTJOBS_AREAS: temporaryDirectory(),
        };
        const worker = startCommand(["worker", "--log-level", "trace"], { env });
        const server = startCommand(["serve", "--listen", "127.0.0.1:0", "--log-level", "trace"], { env });
        const ready = () => worker.stderr().includes('"serving') && server.stderr().includes("serving http");
        await waitFor("both to serve", ready, { state: () => worker.stderr() + server.stderr() });
        const redis = new Redis(env.MTJOBS_REDIS_URL);
        await redis.config("SET", "requirepass", "another one");
        await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        redis.disconnect();
        const isReported = () => /WRONGPASS|NOAUTH/.test(worker.stderr());
        await waitFor("the worker to be refused", isReported, { state: () => worker.stderr() });
        await (await fetch(`${/serving (http:[^"]+)"/.exec(server.stderr())?.[1]}/api/v1/hosts`)).text();
        for (const { child, finished } of [worker, server]) {
          child.kill("SIGTERM");
          assertQuiet(await finished);
        }
      },
      token,
    ));

  it("stays unsaid by a server that is asked with it, and with a wrong one", () =>
    withServer([], async (url) => {
      const env = { MTJOBS_REDIS_URL: url, MTJOBS_TOKEN: token, MTJOBS_AREAS: temporaryDirectory() };
      const server = startCommand(["serve", "--listen", "127.0.0.1:0", "--log-level", "trace", "--json"], {
        env,
      });
      let at = "";
      await waitFor("the server to serve", () => {
        at = /serving (http:\/\/[\d.:]+)/.exec(server.stderr())?.[1] ?? "";
        return at !== "";
      });
      for (const authorization of [
        `Bearer ${token}`,
        `Bearer ${token}x`,
        `Basic ${Buffer.from(`me:${token}`).toString("base64")}`,
      ])
        for (const path of ["/api/v1/hosts", "/api/v1/areas/none", "/queues", `/?token=${token}`])
          await (await fetch(`${at}${path}`, { headers: { authorization } })).text();
      server.child.kill("SIGTERM");
      assertQuiet(await server.finished);
    }));
});
