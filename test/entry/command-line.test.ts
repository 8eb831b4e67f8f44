import { describe, expect, it } from "vitest";
import { healthyArea } from "../support/area.ts";
import { documentOf, errorCodeOf, runCommand } from "../support/queue.ts";

const commands = [
  "reduce",
  "restore",
  "migrate",
  "drain",
  "undrain",
  "list-runs",
  "query",
  "attach-sql",
].concat(["forecast", "status", "doctor", "jobs", "job", "cancel", "worker", "serve", "demo"]);

describe("the command line", () => {
  it.each(commands)("teaches %s by examples and exit codes", async (command) => {
    const { code, stdout, stderr } = await runCommand([command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Examples:\n  ");
    expect(stdout).toContain("Exit codes:\n  ");
    for (const option of ["--json", "--redis-url"]) expect(stdout).toContain(option);
  });

  it("names every command in its help", async () => {
    const { code, stdout } = await runCommand(["-h"]);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
  });

  it("prints its version for -V and --version", async () => {
    const short = await runCommand(["-V"]);
    expect(short.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await runCommand(["--version"])).stdout).toBe(short.stdout);
  });

  it("ends with 2 and the help on stderr when no command is given", async () => {
    const { code, stdout, stderr } = await runCommand([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: mtjobs");
  });

  it("suggests the command that was meant", async () => {
    const { code, stdout, stderr } = await runCommand(["reduse"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe("mtjobs: unknown command 'reduse'\n  hint: Did you mean reduce?\n");
  });

  it("refuses an empty pattern by the option's name and says what to write", async () => {
    for (const option of ["--target", "--runname", "--state", "--status"]) {
      const { code, stdout, stderr } = await runCommand(["reduce", option, ""]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toBe(
        `mtjobs: ${option}: the pattern is empty\n  hint: remove ${option}, or write % for all\n`,
      );
    }
  });

  it("suggests the option that was meant, whichever spelling was used", async () => {
    for (const option of ["--targte", "-targte"]) {
      const finished = await runCommand(["reduce", option, "x", "--json"]);
      expect(finished.code).toBe(2);
      expect(documentOf(finished)).toEqual({
        error: {
          code: "usage",
          message: "unknown option '--targte'",
          hint: "Did you mean --target? See mtjobs reduce --help",
        },
      });
    }
  });

  it("refuses a value that is none with exit 2 and the option's name", async () => {
    for (const [option, value] of [
      ["--age", "30"],
      ["--keep", "-1"],
      ["--run-id", "1,x"],
      ["--timeout", "soon"],
      ["--compact", "often"],
      ["--on-conflict", "skip"],
      ["--grace", "2h"],
    ] as const) {
      const { code, stderr } = await runCommand(["restore", `${option}=${value}`]);
      expect(code).toBe(2);
      expect(stderr).toContain(`mtjobs: ${option}: "`);
    }
  });

  it("takes no option for the value of the one before it, and enqueues nothing", async () => {
    const finished = await runCommand(["reduce", "/nowhere", "--state", "--inline", "--json"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
    expect(JSON.parse(finished.stdout).error).toMatchObject({
      message: "--state needs a value, but --inline begins with a dash",
      hint: expect.stringContaining("--state=--inline"),
    });
  });

  it("has restore's own options for restore alone", async () => {
    const finished = await runCommand(["reduce", "--runname", "%", "--touch", "--json"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
    expect(finished.stdout).toContain("unknown option '--touch'");
  });

  it("refuses a bad setting by the name of its environment variable", async () => {
    const { code, stderr } = await runCommand(["jobs", "--redis-url", "http://x"]);
    expect(code).toBe(2);
    expect(stderr).toContain("MTJOBS_REDIS_URL");
  });

  it("reports a missing argument as one JSON document", async () => {
    const finished = await runCommand(["--json", "job"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
  });

  it.each([
    [["drain"], "mtjobs drain --help"],
    [["drain", "hosta", "hostb"], "mtjobs drain --help"],
    [["drain", "hosta", "--nope"], "mtjobs drain --help"],
    [["drain", "hosta", "--to", ","], "mtjobs drain --help"],
    [["schedule", "add", "reduce", "--every"], "mtjobs schedule add reduce --help"],
    [["--nope"], "mtjobs --help"],
  ])("refuses %j with a hint at %s", async (args, help) => {
    const finished = await runCommand(["--json", ...args]);
    const { code, hint } = documentOf(finished).error as { code: string; hint: string };
    expect([finished.code, code, hint]).toEqual([2, "usage", expect.stringMatching(new RegExp(`${help}$`))]);
  });

  it("says that --inline needs no Redis only for commands that have it", async () => {
    const env = { MTJOBS_REDIS_URL: "redis://127.0.0.1:1" };
    const hintOf = async (...args: string[]) =>
      (documentOf(await runCommand([...args, "--json"], { env })).error as { hint: string }).hint;
    const area = healthyArea();
    const selected = ["reduce", area.directory, "--runname", "%", "--cache-root", area.cacheRoot];
    expect(await hintOf(...selected)).toMatch(/MTJOBS_REDIS_URL; --inline needs no Redis$/);
    expect(await hintOf("jobs")).toMatch(/MTJOBS_REDIS_URL$/);
    expect(await hintOf("cancel", "reduce-1")).not.toContain("--inline");
  });

  it("starts no worker without areas", async () => {
    const finished = await runCommand(["worker", "--json"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "bad-settings"]);
  });
});
