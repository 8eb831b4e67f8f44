import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { assertGuarded, isLoopback, parseListen } from "../../../producers/cli/options/listen-address.ts";
import { serve } from "../../../producers/server/serve.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import { type Answer, ask, errorCodeOf, runCommand, withServerStage } from "../../support/queue.ts";

const token = "a token, with: odd ünsigns";
const locked = withServerStage({ env: { MTJOBS_TOKEN: token } });
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
const as = (authorization: string) => ({ authorization });
const right = as(basic("ann", token));

/** From another address of this machine, as another caller. */
function askFrom(localAddress: string, authorization: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization };
    const call = request(
      `${locked.server.url}/api/v1/hosts`,
      { localAddress, headers, agent: false },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    call.on("error", reject).end();
  });
}

describe("with a token", () => {
  it.each([
    "GET /",
    "GET /api/v1/jobs",
    "POST /api/v1/jobs",
    "GET /openapi.json",
    "GET /docs/",
    "GET /docs/static/swagger-ui.css",
    "GET /queues",
    "GET /queues/api/queues",
    "GET /nothing/here",
    "PUT /queues/api/queues/pause",
  ])("%s is refused without it, whether or not it exists", async (line) => {
    const { status, headers, body } = await locked.call(line);
    expect({ status, body }).toMatchObject({ status: 401, body: { type: "about:blank", status: 401 } });
    expect(headers.get("www-authenticate")).toContain('Basic realm="mtjobs"');
  });

  it("/healthz is answered without it", async () => {
    expect(await locked.call("GET /healthz")).toMatchObject({ status: 200, body: { ok: true, redis: "up" } });
  });

  it("lets in who has it, as bearer or as the password of any user", async () => {
    for (const header of [right, as(basic("", token)), as(basic("ann", token).replace("Basic", "bAsIc"))]) {
      expect((await locked.call("GET /api/v1/hosts", undefined, header)).status).toBe(200);
    }
    const area = locked.stage.area("a1", "hosta");
    const { body } = await locked.call("POST /api/v1/jobs", { job: "reduce", area, runname: "x" }, right);
    const job = await locked.call(`GET /api/v1/jobs/${body.jobId}`, undefined, right);
    expect(job.body.requestedBy).toBe("ann@127.0.0.1");
  });

  it("tells ten wrong tokens of an address that they are wrong, one after the other or at once, and lets the right one in", async () => {
    const wrong = [basic("ann", token.slice(0, -1)), basic("ann", `${token}x`), "Bearer x", basic("ann", "")];
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push(await askFrom("127.0.0.7", wrong[n % wrong.length] ?? ""));
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    const atOnce = await Promise.all(
      Array.from({ length: 100 }, (_, n) => askFrom("127.0.0.6", basic("ann", `guess ${n}`))),
    );
    expect(atOnce.filter((status) => status === 401)).toHaveLength(10);
    expect(atOnce.filter((status) => status === 429)).toHaveLength(90);
    // Behind one proxy all callers have its address.
    for (const address of ["127.0.0.6", "127.0.0.7", "127.0.0.8"])
      expect(await askFrom(address, basic("ann", token))).toBe(200);
  });

  it.each(["Bearer", "Basic", "Basic !!!", "Digest x", "Bearer a b", `Bearer ${"x".repeat(9000)}`])(
    "refuses %j",
    async (authorization) => {
      expect(await askFrom("127.0.0.9", authorization)).toBe(401);
    },
  );
});

describe("every answer", () => {
  it.each(["GET /healthz", "GET /api/v1/hosts", "GET /nothing", "GET /docs/", "GET /queues"])(
    "to %s forbids what the page never needs",
    async (line) => {
      const { headers } = await locked.call(line, undefined, right);
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/https?:|script-src[^;]*unsafe/);
      const sent = ["x-content-type-options", "x-frame-options", "referrer-policy", "cache-control"];
      expect(sent.map((name) => headers.get(name))).toEqual(["nosniff", "DENY", "no-referrer", "no-store"]);
      expect(headers.get("access-control-allow-origin")).toBeNull();
    },
  );

  it.each([
    { origin: "http://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("refuses a change that the page of another site asks for: %j", async (header) => {
    const { status } = await locked.call("DELETE /api/v1/jobs/x", undefined, { ...right, ...header });
    expect(status).toBe(403);
    const own = await locked.call("DELETE /api/v1/jobs/x", undefined, {
      ...right,
      origin: locked.server.url,
    });
    expect(own.status).toBe(404);
  });
});

describe("without a token", () => {
  const open = withServerStage();

  it("answers everybody on this machine, but no name that was made to mean it", async () => {
    expect((await open.call("GET /api/v1/hosts")).status).toBe(200);
    const named = (host: string): Promise<Answer["status"]> =>
      new Promise((resolve, reject) => {
        const call = request(
          `${open.server.url}/api/v1/hosts`,
          { headers: { host }, agent: false },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode ?? 0);
          },
        );
        call.on("error", reject).end();
      });
    expect(await named("localhost:3111")).toBe(200);
    expect(await named("evil.example")).toBe(421);
    expect(await named("127.0.0.1.evil.example:3111")).toBe(421);
    expect((await ask(`${open.server.url}/healthz`)).status).toBe(200);
  });

  it("does not start where other machines would reach it, nor without roots", async () => {
    const finished = await runCommand(["serve", "--json", "--listen", "0.0.0.0:0", "--areas", "/tmp"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "bad-settings"]);
    const options = { listen: { host: "127.0.0.1", port: 0 }, boardWrite: false, version: "1" };
    await expect(
      serve(resolveSettings(), { ...options, signal: new AbortController().signal }),
    ).rejects.toMatchObject({ code: "bad-settings", message: expect.stringContaining("roots") });
    for (const host of ["::", "10.0.0.1", "0.0.0.0"]) {
      await expect(assertGuarded({ host, port: 0 }, false)).rejects.toMatchObject({
        code: "bad-settings",
      });
      await assertGuarded({ host, port: 0 }, true);
    }
    for (const host of ["localhost", "127.0.0.2", "::1"]) await assertGuarded({ host, port: 0 }, false);
  });
});

describe("an address to listen on", () => {
  it("is read with and without brackets", () => {
    expect(parseListen("[::1]:80")).toEqual({ host: "::1", port: 80 });
    expect(parseListen("farm-1:3111")).toEqual({ host: "farm-1", port: 3111 });
    for (const text of ["::1:80", ":80", "a:", "a:b", "a:1:2", "localhost", "127.0.0.1:70000", "[]:1", ""]) {
      expect(() => parseListen(text)).toThrow(/is not an address and port/);
    }
  });

  it("is loopback only if no other machine can reach it", () => {
    const addresses = [
      "127.0.0.1",
      "127.9.9.9",
      "::1",
      "::ffff:127.0.0.1",
      "0.0.0.0",
      "::",
      "10.0.0.1",
      "localhost",
    ];
    expect(addresses.filter(isLoopback)).toEqual(addresses.slice(0, 4));
  });
});
