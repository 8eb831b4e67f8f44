import { describe, expect, it } from "vitest";
import { normaliseArgv } from "../../../producers/cli/argv.ts";

const spelling = {
  options: new Map([
    ["target", true],
    ["runname", true],
    ["json", false],
    ["help", false],
  ]),
  verbs: new Map([
    ["reduce-records", "reduce"],
    ["restore-records", "restore"],
    ["list-runs", "list-runs"],
  ]),
  verbValues: new Map([["list-runs", "runname"]]),
};
const normalise = (line: string[]) => normaliseArgv(line, spelling);

describe("the one-dash spelling", () => {
  it("gives Megatest's long options their second dash", () => {
    expect(normalise(["reduce", "-target", "a/%", "-runname", "w%"])).toEqual([
      "reduce",
      "--target",
      "a/%",
      "--runname",
      "w%",
    ]);
  });

  it("turns Megatest's verb, wherever it stands, into the command", () => {
    expect(normalise(["-reduce-records", "-target", "x"])).toEqual(["reduce", "--target", "x"]);
    expect(normalise(["-target", "x", "-reduce-records"])).toEqual(["reduce", "--target", "x"]);
    expect(normalise(["--reduce-records", "-target", "x"])).toEqual(["reduce", "--target", "x"]);
    expect(normalise(["-target", "x", "-restore-records"])).toEqual(["restore", "--target", "x"]);
  });

  it("takes the word after a verb that has a value for that value, unless it is an option", () => {
    expect(normalise(["-list-runs", "w4%", "-target", "x"])).toEqual([
      "list-runs",
      "--runname",
      "w4%",
      "--target",
      "x",
    ]);
    expect(normalise(["-list-runs", "-target", "x"])).toEqual(["list-runs", "--target", "x"]);
    expect(normalise(["-target", "x", "-list-runs"])).toEqual(["list-runs", "--target", "x"]);
    expect(normalise(["list-runs", "w4%"])).toEqual(["list-runs", "w4%"]);
  });

  it("takes no word that begins with a dash for an option's value, unless it is joined by =", () => {
    for (const word of ["--inline", "-inline", "-", "--", "-5"])
      expect(() => normalise(["reduce", "a", "--target", word])).toThrow(/^--target needs a value/);
    expect(normalise(["reduce", "a", "-target=-5"])).toEqual(["reduce", "a", "--target=-5"]);
  });

  it("takes -dumpmode json for --json", () => {
    expect(normalise(["-list-runs", "w4%", "-dumpmode", "json"])).toEqual([
      "list-runs",
      "--runname",
      "w4%",
      "--json",
    ]);
    expect(normalise(["-dumpmode", "sexpr"])).toEqual(["--dumpmode", "sexpr"]);
  });

  it("leaves single-letter options alone", () => {
    expect(normalise(["-h"])).toEqual(["-h"]);
    expect(normalise(["-V"])).toEqual(["-V"]);
  });

  it("leaves a value that is joined to its option untouched, whatever it begins with", () => {
    expect(normalise(["reduce", "--target=-runname"])).toEqual(["reduce", "--target=-runname"]);
    expect(normalise(["reduce", "-target=-reduce-records"])).toEqual(["reduce", "--target=-reduce-records"]);
  });

  it("passes on everything after a double dash untouched", () => {
    expect(normalise(["reduce", "--", "-target", "-reduce-records"])).toEqual([
      "reduce",
      "--",
      "-target",
      "-reduce-records",
    ]);
  });

  it("keeps a value written with an equals sign, line breaks included", () => {
    expect(normalise(["reduce", "-target=a=b\nc"])).toEqual(["reduce", "--target=a=b\nc"]);
  });

  it("gives an unknown one-dash word two dashes so that it can be corrected", () => {
    expect(normalise(["reduce", "-targte", "x"])).toEqual(["reduce", "--targte", "x"]);
  });

  it("does not take a number for an option, nor a plain word that is a verb of Megatest for one", () => {
    expect(normalise(["reduce", "-5", "reduce-records"])).toEqual(["reduce", "-5", "reduce-records"]);
  });
});
