import { describe, expect, it } from "vitest";
import { ExitCode, errorCodes } from "../../shared/error-codes.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";

describe("a JobsError", () => {
  it("has one of the documented exit codes for every code there is", () => {
    const exits = new Set<number>(Object.values(ExitCode));
    for (const code of errorCodes) {
      expect(exits).toContain(new JobsError(code, "x").exitCode);
      expect(new JobsError(code, "x").exitCode).not.toBe(ExitCode.done);
    }
  });

  it("is never retried automatically if the input or a safety rule is the cause, except for a temporary one", () => {
    const retried = errorCodes.filter((code) => {
      const error = new JobsError(code, "x");
      return error.retriable && [ExitCode.usage, ExitCode.refused].includes(error.exitCode as 2 | 3);
    });
    expect(retried).toEqual(["locked", "outside-window", "paused"]);
  });

  it("survives its wire form", () => {
    const error = new JobsError("not-home", "m", {
      hint: "h",
      details: { homehost: "b" },
      cause: new Error("c"),
    });
    const copy = JobsError.fromDocument(JSON.parse(JSON.stringify(error.toDocument())));
    expect(copy).toBeInstanceOf(JobsError);
    expect(copy.toDocument()).toEqual({
      code: "not-home",
      message: "m",
      hint: "h",
      details: { homehost: "b" },
    });
    expect(new JobsError("busy", "m").toDocument()).toEqual({ code: "busy", message: "m" });
  });

  it("becomes internal where another version sent a code that is unknown here", () => {
    const sent = { code: "from-the-future", message: "m" } as unknown as { code: "busy"; message: string };
    expect(JobsError.fromDocument(sent).code).toBe("internal");
  });
});

describe("an error of somebody else", () => {
  it.each([
    ["SQLITE_BUSY", "busy"],
    ["SQLITE_BUSY_SNAPSHOT", "busy"],
    ["SQLITE_LOCKED_SHAREDCACHE", "busy"],
    ["SQLITE_FULL", "disk-full"],
    ["ENOSPC", "disk-full"],
    ["EDQUOT", "disk-full"],
    ["SQLITE_CORRUPT_INDEX", "corrupt"],
    ["SQLITE_NOTADB", "corrupt"],
    ["SQLITE_IOERR_WRITE", "io"],
    ["SQLITE_READONLY", "io"],
    ["EACCES", "io"],
    ["SQLITE_CONSTRAINT_TRIGGER", "unknown-schema"],
    ["SQLITE_CONSTRAINT_UNIQUE", "internal"],
    ["ERR_INVALID_ARG_TYPE", "internal"],
    ["", "internal"],
  ])("with the code %j becomes %s and stays its cause", (code, ours) => {
    const thrown = Object.assign(new Error("text"), { code });
    const error = toJobsError(thrown);
    expect(error).toMatchObject({ code: ours, message: expect.stringContaining("text") });
    expect(error.cause).toBe(thrown);
  });

  it("is told by its code, whatever its text says", () => {
    expect(toJobsError(new Error("SQLITE_BUSY: database is locked")).code).toBe("internal");
  });

  it.each(["text", undefined, null, 7, { code: 5 }])("may be %j and becomes a JobsError", (thrown) => {
    expect(toJobsError(thrown)).toBeInstanceOf(JobsError);
  });

  it("passes unchanged where it is ours", () => {
    const error = new JobsError("pinned", "x");
    expect(toJobsError(error)).toBe(error);
  });
});
