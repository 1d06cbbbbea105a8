// Reflection: grpc.reflection v1 and v1alpha by @grpc/reflection, so that grpcurl and the like need no proto files.

import { type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Server, ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { descriptors } from "@usher/protocol/descriptors";

/** The paths of its methods: streams of questions and answers. */
export const REFLECTION_STREAMS = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

type Package = ConstructorParameters<typeof ReflectionService>[0];

/** Shows these services, the messages that they use, and the details that errors carry. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const { file: files } = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, "base64"));
  const names = services.map(({ typeName }) => typeName);
  // The form of an entry that has descriptors and nothing else, which is all that is looked at.
  const usher: Package[string] = {
    format: "Protocol Buffer 3 EnumDescriptorProto",
    type: {},
    fileDescriptorProtos: files.map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file))),
  };
  const reflection = new ReflectionService({ usher }, { services: names });
  reflection.addToServer({
    addService: (definition, implementation) => server.addService(definition, paced(implementation)),
  });
}

/** @grpc/reflection answers as fast as it is asked, whether the answers are read or not: a client that asks and does
 * not read would fill the memory, thirty kilobytes a question. So it hears the next question when there is room. */
function paced({
  ServerReflectionInfo: answer,
  ...others
}: UntypedServiceImplementation): UntypedServiceImplementation {
  return {
    ...others,
    ServerReflectionInfo: (stream: ServerDuplexStream<object, object>) => {
      Reflect.apply(answer!, undefined, [stream]);
      stream.on("drain", () => stream.resume());
      stream.on("data", () => {
        if (stream.writableNeedDrain) {
          stream.pause();
        }
      });
    },
  };
}
