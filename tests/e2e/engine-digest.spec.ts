import { sha256 } from "./engine-server.ts";
import { expect, test } from "@playwright/test";
import { Sha256 } from "../../pkg/src/sha256.ts";

test("the package's SHA-256 is Node's, whatever the length and the pieces", () => {
  // Around the block of 64 bytes, and where the length's field just fits or does not.
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 70_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * index + length) % 251);
    for (const piece of [1, 7, 64, 100_000]) {
      const hash = new Sha256();
      for (let at = 0; at < length; at += piece) {
        hash.update(bytes.subarray(at, at + piece));
      }
      expect(hash.digest(), `${length} bytes in pieces of ${piece}`).toBe(sha256(bytes));
    }
  }
});
