import { test as base } from "@playwright/test";
import { createConsumer, type Consumer } from "./consumer.ts";

export { expect } from "@playwright/test";

/** Tests of someone's project that has the packed package, one per worker. */
export const test = base.extend<object, { consumer: Consumer }>({
  consumer: [
    async ({}, use) => {
      const consumer = await createConsumer();
      await use(consumer);
      await consumer.remove();
    },
    { scope: "worker", timeout: 240_000 },
  ],
});
