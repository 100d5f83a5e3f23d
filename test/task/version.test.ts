import { describe, expect, test } from "vitest";
import { nextVersion } from "../../src/task/version.ts";

describe("the version that follows", () => {
  const CASES = [
    ["no version is the start", "1.0.0", "", "1.0.0"],
    ["the start has its last number counted up", "1.0.0", "1.0.0", "1.0.1"],
    ["nine has one digit more", "1.0.0", "1.0.9", "1.0.10"],
    ["a version with leading zeros keeps them", "1.0.009", "1.0.009", "1.0.010"],
    ["the last version of a width has one digit more", "1.0.001", "1.0.999", "1.0.1000"],
    ["a version without the zeros of the start gets them", "1.0.000", "1.0.7", "1.0.008"],
    ["a version with other zeros gets the width of the start", "1.0.0", "1.0.007", "1.0.8"],
    ["a version below the start is the start", "1.0.5", "1.0.3", "1.0.5"],
    ["a version with the number of the start is the next number", "1.0.5", "1.0.5", "1.0.6"],
    ["a version with another prefix is the start", "2.0.0", "1.0.7", "2.0.0"],
    ["a version with another suffix is the start", "1.0.0-rc", "1.0.7-beta", "1.0.0-rc"],
    ["a version with a suffix keeps it", "1.0.0-rc", "1.0.7-rc", "1.0.8-rc"],
    ["a version whose suffix has a number has that counted up", "1.0.0-rc1", "1.0.0-rc1", "1.0.0-rc2"],
    ["a version with more than a number between prefix and suffix is the start", "1.0", "1.0.7", "1.0"],
    ["a version with a signed number is the start", "v1", "v-3", "v1"],
    ["a version with nothing between prefix and suffix is the start", "v1x", "vx", "v1x"],
    ["a version whose prefix and suffix overlap is the start", "aa1aa", "aaa", "aa1aa"],
    ["a version of a start without a number is the start", "latest", "latest", "latest"],
    ["a bare number counts up", "41", "41", "42"],
    ["a number beyond 64 bits counts up exactly", "0", "99999999999999999999999", "100000000000000000000000"],
    ["a start over several lines keeps them", "a\n1\nb", "a\n1\nb", "a\n2\nb"],
  ] as const;
  test.each(CASES)("%s: start %j, previous %j → %j", (_, start, previous, next) => {
    expect(nextVersion(start, previous)).toBe(next);
  });
});
