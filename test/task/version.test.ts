import { describe, expect, test } from "vitest";
import { nextVersion } from "../../src/task/version.ts";

describe("the version after", () => {
  const CASES = [
    ["none is the start", "1.0.0", "", "1.0.0"],
    ["the start counts its last number up", "1.0.0", "1.0.0", "1.0.1"],
    ["nine has one digit more", "1.0.0", "1.0.9", "1.0.10"],
    ["one with leading zeros keeps them", "1.0.009", "1.0.009", "1.0.010"],
    ["the last of a width grows over it", "1.0.001", "1.0.999", "1.0.1000"],
    ["one without the start's zeros gets them", "1.0.000", "1.0.7", "1.0.008"],
    ["one with other zeros takes the start's width", "1.0.0", "1.0.007", "1.0.8"],
    ["an earlier one is a start that is ahead", "1.0.5", "1.0.3", "1.0.5"],
    ["one with the start's number is the next", "1.0.5", "1.0.5", "1.0.6"],
    ["one of another prefix is the start", "2.0.0", "1.0.7", "2.0.0"],
    ["one of another suffix is the start", "1.0.0-rc", "1.0.7-beta", "1.0.0-rc"],
    ["one with a suffix keeps it", "1.0.0-rc", "1.0.7-rc", "1.0.8-rc"],
    ["one whose suffix has a number counts that", "1.0.0-rc1", "1.0.0-rc1", "1.0.0-rc2"],
    ["one with more than a number between is the start", "1.0", "1.0.7", "1.0"],
    ["one with a signed number between is the start", "v1", "v-3", "v1"],
    ["one with nothing between is the start", "v1x", "vx", "v1x"],
    ["one where prefix and suffix overlap is the start", "aa1aa", "aaa", "aa1aa"],
    ["a start without a number is that start", "latest", "latest", "latest"],
    ["a bare number counts up", "41", "41", "42"],
    ["a number beyond 64 bits counts up exactly", "0", "99999999999999999999999", "100000000000000000000000"],
    ["a start over several lines keeps them", "a\n1\nb", "a\n1\nb", "a\n2\nb"],
  ] as const;
  test.each(CASES)("%s: start %j, previous %j → %j", (_, start, previous, next) => {
    expect(nextVersion(start, previous)).toBe(next);
  });
});
