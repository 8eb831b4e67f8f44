import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { waitFor } from "./support/area.ts";
import { documentOf, onQueue, runCommand } from "./support/queue.ts";

interface Span {
  name: string;
  traceId: string;
  /** 4: the process that added it; 5: the one that took it. */
  kind: number;
}

interface Export {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
}

/** A collector that keeps the spans it is sent. */
async function withCollector(body: (url: string, spans: Span[]) => Promise<void>): Promise<void> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      const { resourceSpans } = JSON.parse(text) as Export;
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("a job's way from the command to the worker is one trace if both have an address to send spans to", () =>
  withCollector((tracesUrl, spans) =>
    onQueue(async (stage) => {
      const traced = { MTJOBS_TRACES_URL: tracesUrl };
      await stage.worker("hosta", traced);
      const area = stage.area("a1", "hosta");
      stage.release(area);
      const env = {
        MTJOBS_REDIS_URL: stage.url,
        MTJOBS_PREFIX: stage.prefix,
        MTJOBS_HOST: "hosta",
        ...traced,
      };
      const reduced = await runCommand(["reduce", area, "--runname", "once", "--wait", "--json"], { env });
      expect(documentOf(reduced)).toMatchObject({ state: "completed" });
      const added = await waitFor("the command's span", () => spans.find(({ name }) => /^add\b/.test(name)), {
        state: () => spans,
      });
      const taken = await waitFor(
        "the worker's span",
        () => spans.find(({ name, traceId }) => /^process\b/.test(name) && traceId === added.traceId),
        { state: () => spans },
      );
      expect([added.kind, taken.kind]).toEqual([4, 5]);
    }),
  ));

test("a collector that is away keeps no command from its work", () =>
  onQueue(async (stage) => {
    const area = stage.area("a1", "hosta");
    const env = { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" };
    const traced = { ...env, MTJOBS_TRACES_URL: "http://127.0.0.1:1/v1/traces" };
    const { code, stdout, stderr } = await runCommand(["reduce", area, "--runname", "x"], { env: traced });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("reduce-");
  }));
