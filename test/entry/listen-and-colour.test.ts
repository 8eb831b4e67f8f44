import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { builtCommand, documentOf, onQueue, runCommand, serverEnv } from "../support/queue.ts";

/** `script` of util-linux gives a program a terminal. */
const hasScript = (() => {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8" }).includes("util-linux");
  } catch {
    return false;
  }
})();

describe("a program that cannot listen", () => {
  it.each([
    ["serve", "--listen"],
    ["worker", "--metrics"],
  ])("%s says that the port is in use, and by which option to choose another", (command, option) =>
    onQueue(async (stage) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as { port: number };
      const address = `127.0.0.1:${port}`;
      const finished = await runCommand([command, option, address, "--json"], { env: serverEnv(stage) });
      server.close();
      expect(finished.code).toBe(1);
      expect(documentOf(finished).error).toMatchObject({
        code: "io",
        message: `cannot listen on ${address}: another program listens there`,
        hint: expect.stringContaining(option),
      });
    }),
  );
});

describe.runIf(hasScript)("the log on a terminal", () => {
  it.each([
    ["coloured", {}, true],
    ["plain with NO_COLOR", { NO_COLOR: "1" }, false],
  ])("is %s", (_, more, coloured) =>
    onQueue(async (stage) => {
      const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...serverEnv(stage), ...more };
      const command = `timeout --preserve-status 5 ${process.execPath} ${builtCommand} serve --listen 127.0.0.1:0`;
      const shown = execFileSync("script", ["-qec", command, "/dev/null"], { env, encoding: "utf8" });
      expect(shown).toContain("serving http://127.0.0.1:");
      expect(shown.includes("\u001b[3")).toBe(coloured);
    }),
  );
});
