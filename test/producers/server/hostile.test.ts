import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { requestNames } from "../../../producers/jobs/request-job.ts";
import { payloadSchemas } from "../../../shared/contract/payload.ts";
import { waitFor } from "../../support/area.ts";
import { withServerStage } from "../../support/queue.ts";

const served = withServerStage();
const { call } = served;

/** Whatever a test did, the server is up, is the same process, and took no job in. */
afterEach(async () => {
  expect(await call("GET /healthz")).toMatchObject({ status: 200, body: { ok: true } });
  expect(served.server.child.exitCode).toBeNull();
  expect((await call("GET /api/v1/jobs")).body.jobs).toEqual([]);
  expect(served.server.stderr()).not.toMatch(/"level":(?:50|60)|Unhandled|at .*node_modules/);
});

interface Wire {
  socket: Socket;
  received(): string;
  closed: Promise<void>;
}

function openWire(): Wire {
  const socket = connect(Number(new URL(served.server.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  return { socket, received: () => text, closed };
}

/** Sends bytes as they are and gives the first line that comes back. */
async function raw(text: string): Promise<string> {
  const { socket, received } = openWire();
  socket.write(text, "latin1");
  await waitFor("an answer", () => socket.closed || received().includes("\r\n"));
  socket.destroy();
  return received().split("\r\n")[0] ?? "";
}

const members = [...new Set(requestNames.flatMap((name) => Object.keys(payloadSchemas[name].shape)))];
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    "../../etc/passwd",
    "/etc/shadow",
    "\0",
    "/\0",
    "%2e%2e/",
    "'; DROP TABLE runs; --",
    "$(id)",
    "🦥".repeat(50),
  ),
  fc.double(),
);
const oddBody = fc.oneof(
  fc.dictionary(fc.constantFrom("job", ...members, "__proto__", "constructor", "toString"), oddValue),
  fc
    .record({
      job: fc.constantFrom("reduce", "restore", "migrate"),
      area: fc.constantFrom("/etc", "/", "/areas/x", "/dev/null"),
    })
    .chain((base) =>
      fc.dictionary(fc.constantFrom(...members), oddValue).map((more) => ({ ...more, ...base })),
    ),
);

describe("the server stays up and refuses", () => {
  it("bodies that are JSON of any shape", async () => {
    await fc.assert(
      fc.asyncProperty(oddBody, async (body) => {
        const answer = await call("POST /api/v1/jobs", JSON.stringify(body), {
          "content-type": "application/json",
        });
        expect([400, 403, 404]).toContain(answer.status);
        expect(answer.headers.get("content-type")).toContain("application/problem+json");
      }),
      { numRuns: 150 },
    );
  });

  it("bodies that are no JSON, or not said to be", async () => {
    const json = { "content-type": "application/json" };
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), async (text) => {
        fc.pre(!/^\s*[[{"\d\-tfn]/.test(text));
        expect((await call("POST /api/v1/jobs", text, json)).status).toBe(400);
      }),
      { numRuns: 50 },
    );
    const body = '{"job":"reduce","area":"/etc","runname":"%"}';
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/xml",
      "x",
    ]) {
      expect([type, (await call("POST /api/v1/jobs", body, { "content-type": type })).status]).toEqual([
        type,
        415,
      ]);
    }
    const poison = '{"job":"reduce","area":"/etc","runname":"%","__proto__":{"dryRun":true}}';
    expect((await call("POST /api/v1/jobs", poison, json)).status).toBe(400);
    const deep = `{"job":"reduce","area":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    expect((await call("POST /api/v1/jobs", deep, json)).status).toBe(400);
  });

  it("bodies, queries, paths and headers that are too large", async () => {
    const json = { "content-type": "application/json" };
    const large = JSON.stringify({ job: "reduce", area: "/etc", runname: "x".repeat(1024 * 1024) });
    expect((await call("POST /api/v1/jobs", large, json)).status).toBe(413);
    const long = "x".repeat(9000);
    for (const line of [`GET /api/v1/jobs?state=${long}`, `GET /${long}`, `GET /api/v1/jobs/${long}`]) {
      expect((await call(line)).status).toBe(414);
    }
    expect((await call(`GET /api/v1/jobs?state=${"x".repeat(300)}`)).status).toBe(400);
    expect((await call(`GET /api/v1/jobs/${"x".repeat(300)}`)).status).toBe(414);
    expect((await call("POST /api/v1/jobs", {}, { "idempotency-key": "k".repeat(256) })).status).toBe(400);
    expect(await raw(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(
      / 431 /,
    );
  });

  it("queries that are not asked for, twice there or of another kind", async () => {
    for (const query of [
      "limit=-1",
      "limit=1e9",
      "limit=1&limit=2",
      "limit=x",
      "limit[]=1",
      "unknown=1",
      "host=",
      "state=",
      "area=",
      "all=maybe",
      "state=a&state=b",
      "__proto__[x]=1",
    ]) {
      expect([query, (await call(`GET /api/v1/jobs?${query}`)).status]).toEqual([query, 400]);
    }
  });

  it("paths that try to leave the assets of a page", async () => {
    const secrets = [
      "../package.json",
      "..%2fpackage.json",
      "%2e%2e/%2e%2e/package.json",
      "....//package.json",
      "..%5cpackage.json",
      "%00",
      "/etc/passwd",
      "..;/package.json",
    ];
    for (const place of ["/docs/static/", "/queues/static/"]) {
      for (const secret of secrets) {
        const line = await raw(
          `GET ${place}${secret} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
        );
        expect([secret, line]).toEqual([secret, expect.stringMatching(/^HTTP\/1.1 (?:400|403|404) /)]);
      }
    }
  });

  it("what is no HTTP, or ambiguous", async () => {
    const head = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n";
    const both = `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`;
    for (const text of [
      "\x16\x03\x01\x02\x00\x01\x00\x01",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "G\0T / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      `POST /api/v1/jobs HTTP/1.1\r\n${both}\r\n0\r\n\r\n`,
      `POST /api/v1/jobs HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n`,
      `POST /api/v1/jobs HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `GET /api/v1/jobs/%ff%fe HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
    ]) {
      expect([text, await raw(text)]).toEqual([text, expect.stringMatching(/^HTTP\/1.1 4\d\d /)]);
    }
    for (const method of ["TRACE", "CONNECT", "PATCH", "PROPFIND", "OPTIONS"]) {
      const line = await raw(
        `${method} /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
      );
      expect([method, line]).toEqual([method, expect.stringMatching(/^(?:HTTP\/1.1 4\d\d .*|)$/)]);
    }
  });

  it("clients that send a request byte by byte, which do not delay others", async () => {
    const slow = Array.from({ length: 50 }, openWire);
    for (const { socket } of slow) socket.write("POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
    const drip = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write("x");
    }, 500);
    try {
      const started = Date.now();
      expect((await call("GET /api/v1/hosts")).status).toBe(200);
      expect(Date.now() - started).toBeLessThan(5000);
      await waitFor(
        "the slow ones to be told to go",
        () => slow.every(({ received }) => / 408 /.test(received())),
        {
          deadline: 25_000,
          state: () => slow.map(({ received }) => received().slice(0, 40)),
        },
      );
      await Promise.all(slow.map(({ closed }) => closed));
    } finally {
      clearInterval(drip);
      for (const { socket } of slow) socket.destroy();
    }
  });

  it("clients that leave in the middle of a body or before the answer", async () => {
    const head =
      "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    for (let n = 0; n < 20; n++) {
      const { socket, closed } = openWire();
      socket.write(
        n % 2 === 0 ? `${head}{"job":` : "GET /api/v1/areas HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        () => socket.destroy(),
      );
      await closed;
    }
  });
});
