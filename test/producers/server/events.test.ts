import { describe, expect, it } from "vitest";
import { waitFor } from "../../support/area.ts";
import { onQueue, serverEnv, startServer } from "../../support/queue.ts";

/** What has come so far of a stream of events. */
async function listen(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/api/v1/events`, { headers });
  const received = { response, text: "", ended: false };
  const read = async () => {
    for await (const chunk of response.body ?? []) received.text += Buffer.from(chunk).toString();
    received.ended = true;
  };
  void read();
  return received;
}

/** The last event's name and document. */
function last(text: string): [string, Record<string, object[]>] {
  const [, name = "", data = "{}"] = [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].at(-1) ?? [];
  return [name, JSON.parse(data)];
}

describe("server-sent events", () => {
  it("tell hosts and unfinished jobs whenever they change, to all who listen, until the server stops", () =>
    onQueue(async (stage) => {
      const server = await startServer({ ...serverEnv(stage), MTJOBS_TOKEN: "a long enough token" });
      expect((await fetch(`${server.url}/api/v1/events`)).status).toBe(401);
      const authorization = "Bearer a long enough token";
      const one = await listen(server.url, { authorization });
      expect(one.response.headers.get("content-type")).toBe("text/event-stream");
      await waitFor("the first event", () => last(one.text)[0] === "farm");
      expect(last(one.text)[1]).toMatchObject({ hosts: [], jobs: [] });
      const jobId = await stage.enqueue("hostb", "/areas/a1", "later");
      await waitFor("the job", () => last(one.text)[1].jobs?.length === 1, { state: () => one.text });
      expect(last(one.text)[1].hosts).toMatchObject([{ host: "hostb", worker: null }]);
      expect(last(one.text)[1].jobs).toMatchObject([{ jobId, host: "hostb", state: "waiting" }]);
      expect(last(one.text)[1].jobs?.[0]).not.toHaveProperty("data");
      const two = await listen(server.url, { authorization });
      await waitFor("the second listener", () => last(two.text)[1].jobs?.length === 1);
      await stage.cancel("hostb", jobId);
      await waitFor("the end of the job", () => last(two.text)[1].jobs?.length === 0);
      const events = one.text.split("\n\n").filter((event) => event.startsWith("event: "));
      expect(events.filter((event, index) => event === events[index - 1])).toEqual([]);
      server.child.kill("SIGTERM");
      await waitFor("the streams to end", () => one.ended && two.ended);
      expect((await server.finished).code).toBe(0);
    }));
});
