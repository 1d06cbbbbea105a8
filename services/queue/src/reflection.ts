// Reflection: grpc.reflection v1 and v1alpha by @grpc/reflection, so that grpcurl and the like need no proto files.

import { type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
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

/** Shows the services of these files, and whatever the files import. */
export function addReflection(server: Server, files: readonly DescFile[]): void {
  const commented = new Map(
    fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, "base64")).file.map((file) => [
      file.name,
      file,
    ]),
  );
  const fileDescriptorProtos = withImports(files).map(({ proto }) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, commented.get(proto.name) ?? proto)),
  );
  // The form of an entry that has descriptors and nothing else, which is all that is looked at.
  const usher: Package[string] = {
    format: "Protocol Buffer 3 EnumDescriptorProto",
    type: {},
    fileDescriptorProtos,
  };
  const reflection = new ReflectionService({ usher });
  reflection.addToServer({
    addService: (definition, implementation) => server.addService(definition, paced(implementation)),
  });
}

/** Every file once, those that it imports before it. */
function withImports(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    file.dependencies.forEach(visit);
    found.add(file);
  };
  files.forEach(visit);
  return [...found];
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
