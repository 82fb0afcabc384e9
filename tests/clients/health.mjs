// gRPC's own health client for Node.js: node health.mjs HOST:PORT SERVICE [watch]
// Prints the answer of Check, or each status of Watch on a line of its own until the server ends the watch.
import grpc from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

const [address, name, watch] = process.argv.slice(2);
const Health = grpc.makeGenericClientConstructor(service, 'Health');
const client = new Health(address, grpc.credentials.createInsecure());

if (watch) {
  const call = client.watch({ service: name });
  call.on('data', (answer) => console.log(answer.status));
  call.on('error', (error) => console.log(grpc.status[error.code]));
  call.on('end', () => client.close());
} else {
  client.check({ service: name }, { deadline: Date.now() + 20_000 }, (error, answer) => {
    console.log(error ? grpc.status[error.code] : answer.status);
    client.close();
  });
}
