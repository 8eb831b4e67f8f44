import { chmodSync, chownSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isRoot, nobody, temporaryDirectory, waitFor } from "../../support/area.ts";
import { ask, onQueue, runCommand, serverEnv, startServer, withServerStage } from "../../support/queue.ts";

const secret = (name: string) => `${name}-0123456789abcdef`;
const as = (name: string) => ({ authorization: `Bearer ${secret(name)}` });
const tokens = [
  { name: "grafana", token: secret("grafana"), role: "read" },
  { name: "night-jobs", token: secret("night-jobs"), role: "operate" },
  { name: "ann", token: secret("ann"), role: "admin" },
];

function tokensFile(content: unknown = { tokens }): string {
  const file = join(temporaryDirectory(), "tokens.json");
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  return file;
}

/** Runs `body` with a server that has these settings. */
const withServer = (
  env: Record<string, string>,
  body: (server: { url: string; stderr(): string }, area: string) => Promise<void>,
  args: string[] = [],
) =>
  onQueue(async (stage) => {
    const server = await startServer({ ...serverEnv(stage), ...env }, args);
    try {
      await body(server, stage.area("a1", "hosta"));
    } finally {
      server.child.kill("SIGTERM");
      await server.finished;
    }
  });

const expectRefused = (file: string, problem: string) =>
  onQueue(async (stage) => {
    const env = { ...serverEnv(stage), MTJOBS_TOKENS_FILE: file };
    const { code, stderr } = await runCommand(["serve", "--listen", "127.0.0.1:0"], { env });
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
  });

describe("tokens of a file", () => {
  it("may do what their roles say, and each change is a line of the log with its user", () =>
    withServer(
      { MTJOBS_TOKENS_FILE: tokensFile() },
      async ({ url, stderr }, area) => {
        const status = async (name: string, method: string, path: string, body?: unknown) =>
          (await ask(`${url}${path}`, { method, headers: as(name), ...(body === undefined ? {} : { body }) }))
            .status;
        const reduce = { job: "reduce", area, age: "30d" };
        expect(await status("nobody-known", "GET", "/api/v1/jobs")).toBe(401);
        for (const { name, role } of tokens) {
          expect(await status(name, "GET", "/metrics")).toBe(200);
          const { body } = await ask(`${url}/api/v1/whoami`, { headers: as(name) });
          const boardWrite = role === "admin";
          expect(body).toEqual({ user: `${name}@127.0.0.1`, token: name, role, boardWrite });
        }
        expect(await status("grafana", "POST", "/api/v1/jobs", reduce)).toBe(403);
        expect(await status("grafana", "DELETE", "/api/v1/jobs/x")).toBe(403);
        expect(await status("night-jobs", "POST", "/api/v1/jobs", reduce)).toBe(202);
        const long = { job: "reduce", area: `/${"x".repeat(500_000)}` };
        expect(await status("night-jobs", "POST", "/api/v1/jobs", long)).toBe(400);
        const migrate = { job: "migrate", area, to: "hosta", takeover: true, confirmed: true };
        expect(await status("night-jobs", "POST", "/api/v1/jobs", migrate)).toBe(403);
        expect(await status("ann", "POST", "/api/v1/jobs", migrate)).not.toBe(403);
        expect(await status("night-jobs", "PUT", "/queues/api/queues/host.hosta/pause")).toBe(403);
        expect(await status("ann", "PUT", "/queues/api/queues/host.hosta/pause")).toBe(200);
        const purge = { job: "purge", area, age: "2y", export: false, confirmed: true };
        expect(await status("night-jobs", "POST", "/api/v1/jobs", purge)).toBe(403);
        expect(await status("ann", "POST", "/api/v1/jobs", { ...purge, confirmed: false })).toBe(409);
        expect(await status("ann", "POST", "/api/v1/jobs", purge)).toBe(202);
        const forged = { ...reduce, keep: 2, requestedBy: "boss@hosta" };
        expect(await status("night-jobs", "POST", "/api/v1/jobs", forged)).toBe(403);
        expect(await status("ann", "POST", "/api/v1/jobs", forged)).toBe(202);
        await waitFor("the audit", () => /"status":202/.test(stderr()), { state: stderr });
        const lines = stderr()
          .split("\n")
          .filter((line) => line.includes('"audit"'));
        expect(JSON.parse(lines.find((line) => line.includes('"status":202')) ?? "{}").audit).toMatchObject({
          by: "night-jobs@127.0.0.1",
          token: "night-jobs",
          method: "POST",
          path: "/api/v1/jobs",
          job: "reduce",
          area,
          status: 202,
        });
        expect(lines.filter((line) => line.includes('"status":403')).length).toBe(6);
        // No line is as long as the body that someone sent.
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(5000);
        for (const { token } of tokens) expect(stderr()).not.toContain(token);
      },
      ["--board-write"],
    ));

  it.each([
    ["a missing file", undefined, "is not a regular file"],
    ["no JSON", "{", "is not JSON"],
    ["a role that is none", { tokens: [{ ...tokens[0], role: "root" }] }, "tokens.0.role"],
    ["a short token", { tokens: [{ ...tokens[0], token: "short" }] }, "at least 16 characters"],
    ["a variable", { tokens: [{ ...tokens[0], token: "$GRAFANA_TOKEN_OF_FARM" }] }, "was not expanded"],
    ["a name twice", { tokens: [tokens[0], tokens[0]] }, "names grafana twice"],
    [
      "a text twice",
      { tokens: [tokens[0], { ...tokens[2], token: secret("grafana") }] },
      "gives ann the text",
    ],
    ["none", { tokens: [] }, "tokens"],
  ])("keep the server from starting with %s", (_, content, named) =>
    onQueue(async (stage) => {
      const file = content === undefined ? "/nowhere/tokens.json" : tokensFile(content);
      const env = { ...serverEnv(stage), MTJOBS_TOKENS_FILE: file };
      const { code, stderr } = await runCommand(["serve", "--listen", "127.0.0.1:0"], { env });
      expect([code, stderr]).toEqual([2, expect.stringContaining(named)]);
      expect(stderr).not.toContain(secret("grafana"));
    }),
  );

  it("may be behind links, as Kubernetes mounts them, that no other user can change", async () => {
    const directory = temporaryDirectory();
    const now = join(directory, "..2026_11_30");
    mkdirSync(now, { mode: 0o755 });
    writeFileSync(join(now, "tokens.json"), JSON.stringify({ tokens }), { mode: 0o400 });
    symlinkSync("..2026_11_30", join(directory, "..data"));
    const file = join(directory, "tokens.json");
    symlinkSync("..data/tokens.json", file);
    const starts = () =>
      withServer({ MTJOBS_TOKENS_FILE: file }, async ({ url }) => {
        expect((await ask(`${url}/api/v1/jobs`, { headers: as("grafana") })).status).toBe(200);
      });
    await starts();
    chmodSync(directory, 0o1777);
    await starts();
    chmodSync(directory, 0o777);
    await expectRefused(file, `is a link that is not trusted: other users may write to ${directory}`);
    chmodSync(directory, 0o755);
    chmodSync(now, 0o775);
    await expectRefused(file, `other users may write to ${now}`);
    rmSync(now, { recursive: true });
    await expectRefused(file, "is a link that cannot be followed");
  });

  it.runIf(isRoot)("are refused behind a link, or in a directory, of another user", async () => {
    const directory = temporaryDirectory();
    const link = join(directory, "link.json");
    symlinkSync(tokensFile(), link);
    lchownSync(link, nobody, nobody);
    await expectRefused(link, `${link} belongs to another user`);
    const plain = join(directory, "plain.json");
    symlinkSync(tokensFile(), plain);
    chownSync(directory, nobody, nobody);
    await expectRefused(plain, `${directory} belongs to another user`);
  });

  it.runIf(isRoot)("may be root's file, and readable by the server's group alone", async () => {
    const file = tokensFile();
    const [own = 0] = process.getgroups?.() ?? [];
    chmodSync(file, 0o440);
    chownSync(file, 0, own);
    await withServer({ MTJOBS_TOKENS_FILE: file }, async ({ url }) => {
      expect((await ask(`${url}/api/v1/jobs`, { headers: as("grafana") })).status).toBe(200);
    });
    chownSync(file, 0, nobody);
    await expectRefused(file, "can be read by other users");
    chownSync(file, 0, own);
    chmodSync(file, 0o660);
    await expectRefused(file, "can be read by other users");
  });

  it("keep the server from starting if others may read them", () =>
    onQueue(async (stage) => {
      const file = tokensFile();
      chmodSync(file, 0o644);
      const env = { ...serverEnv(stage), MTJOBS_TOKENS_FILE: file };
      const { code, stderr } = await runCommand(["serve", "--listen", "127.0.0.1:0"], { env });
      expect([code, stderr]).toEqual([2, expect.stringContaining(`chmod 600 ${file}`)]);
    }));
});

it("a server behind a proxy does not start without a token, or with half an address", () =>
  onQueue(async (stage) => {
    const refusal = async (proxies: string) => {
      const env = { ...serverEnv(stage), MTJOBS_TRUST_PROXY: proxies };
      const { code, stderr } = await runCommand(["serve", "--listen", "127.0.0.1:0"], { env });
      return [code, stderr];
    };
    expect(await refusal("127.0.0.1")).toEqual([2, expect.stringContaining("set MTJOBS_TOKEN")]);
    for (const half of ["10.1", "10", "1.2.3/24", "a"])
      expect(await refusal(half)).toEqual([2, expect.stringContaining(`"${half}" must be addresses`)]);
  }));

describe("a trusted proxy", () => {
  const token = secret("proxy");
  const served = withServerStage({
    env: {
      MTJOBS_TOKEN: token,
      MTJOBS_TRUST_PROXY: "127.0.0.1",
      MTJOBS_USER_HEADER: "X-Remote-User",
      MTJOBS_BASE_PATH: "/farm/jobs",
    },
  });
  let proxy: Server;
  let at = "";
  beforeAll(async () => {
    // Serves it below /farm/jobs and passes the whole path on.
    proxy = createServer((request, response) => {
      const { host, ...headers } = request.headers;
      const forwarded = {
        ...headers,
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-host": host,
        "x-remote-user": "ann",
      };
      const onward = httpRequest(
        `${served.server.url}${request.url}`,
        {
          method: request.method ?? "GET",
          headers: { ...forwarded, authorization: `Bearer ${token}` } as never,
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    at = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/farm/jobs`;
  });
  afterAll(() => void proxy.close());

  it("names the user, and the caller's address is the one that it forwards", async () => {
    const area = served.stage.area("a1", "hosta");
    const enqueued = await ask(`${at}/api/v1/jobs`, {
      method: "POST",
      body: { job: "reduce", area, age: "1d" },
      headers: { origin: new URL(at).origin },
    });
    expect(enqueued.status).toBe(202);
    const location = enqueued.headers.get("location") ?? "";
    expect(location).toBe(`/farm/jobs/api/v1/jobs/${enqueued.body.jobId}`);
    const job = await ask(new URL(location, at).href);
    expect(job.body.requestedBy).toBe("ann@192.0.2.7");
    served.stage.release(area);
    await served.stage.worker("hosta");
    const failed = await served.stage.enqueue("hosta", area, "refuse");
    await served.stage.reach("hosta", failed, "failed");
    const retried = await ask(`${at}/api/v1/jobs/${failed}/retry`, {
      method: "POST",
      headers: { origin: new URL(at).origin },
    });
    expect(retried.headers.get("location")).toBe(`/farm/jobs/api/v1/jobs/${retried.body.jobId}`);
  });

  it("is believed only if it is the one that was named", async () => {
    const area = served.stage.area("a2", "hosta");
    await withServer(
      { MTJOBS_TOKEN: token, MTJOBS_TRUST_PROXY: "192.0.2.1", MTJOBS_USER_HEADER: "x-user" },
      async ({ url }, own) => {
        const headers = { authorization: `Bearer ${token}`, "x-user": "eve", "x-forwarded-for": "192.0.2.9" };
        const { body } = await ask(`${url}/api/v1/jobs`, {
          method: "POST",
          body: { job: "reduce", area: own, age: "1d" },
          headers,
        });
        expect((await ask(`${url}/api/v1/jobs/${body.jobId}`, { headers })).body.requestedBy).toBe(
          "http@127.0.0.1",
        );
      },
    );
    expect(area).toContain("a2");
  });

  it("may serve everything below a path, with it passed on or left out", async () => {
    const page = await ask(`${at}/`);
    expect(page.body).toContain('<base href="/farm/jobs/" />');
    // Nothing but the base is absolute.
    expect(page.body.match(/(?:href|src)="\/[^"]*"/g)).toEqual(['href="/farm/jobs/"']);
    for (const path of [
      "static/page/main.js",
      "static/page/page.css",
      "queues",
      "docs/",
      "openapi.json",
      "metrics",
    ])
      expect([path, (await ask(`${at}/${path}`)).status]).toEqual([path, 200]);
    expect((await ask(`${at}/queues`)).body).toContain('href="/farm/jobs/queues/');
    expect((await ask(`${at}/docs`)).body).toContain('href="/farm/jobs/docs/static/swagger-ui.css"');
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask(`${served.server.url}/api/v1/jobs`, { headers })).status).toBe(200);
    expect((await ask(`${served.server.url}/farm/jobsX`, { headers })).status).toBe(404);
  });
});
