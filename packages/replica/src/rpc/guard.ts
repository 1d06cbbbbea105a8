// Around every method: what is thrown leaves as one of the documented errors, and what should not have been thrown is
// told to the operator.

import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { UsherError } from "./errors.ts";

type Method = (request: unknown, context: unknown) => unknown;

/** The same methods, whose errors are all `ConnectError`s. */
export function guarded<Service extends DescService>(
  methods: ServiceImpl<Service>,
  onFault: (error: Error) => void,
): ServiceImpl<Service> {
  const explain = (error: unknown): Error => {
    const explained = UsherError.of(error);
    if (explained instanceof UsherError && explained.reason === "INTERNAL") {
      onFault(error instanceof Error ? error : explained);
    }
    return explained;
  };
  const wrapped = Object.entries(methods as Record<string, Method>).map(([name, method]) => [
    name,
    (request: unknown, context: unknown) => {
      const result = method(request, context);
      return result instanceof Promise
        ? result.catch((error: unknown) => {
            throw explain(error);
          })
        : explained(result as AsyncIterable<unknown>, explain);
    },
  ]);
  return Object.fromEntries(wrapped) as ServiceImpl<Service>;
}

async function* explained(
  stream: AsyncIterable<unknown>,
  explain: (error: unknown) => Error,
): AsyncGenerator {
  try {
    yield* stream;
  } catch (error) {
    throw explain(error);
  }
}
