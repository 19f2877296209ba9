// What dockerode makes of an engine: node dockerode.js NAME, with DOCKER_HOST set; prints what it saw.
const Docker = require('dockerode');
const {PassThrough} = require('stream');

const name = process.argv[2];
const socketPath = process.env.DOCKER_HOST.replace('unix://', '');
const docker = new Docker({socketPath});
const labels = {'sockproxy.test': '1'};

const text = (stream) => new Promise((resolve, reject) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => resolve(Buffer.concat(parts).toString()));
  stream.on('error', reject);
});

async function both(stream) {
  const out = new PassThrough(), err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => { out.end(); err.end(); });
  return {out: await text(out), err: await text(err)};
}

async function main() {
  console.log('ping', (await docker.ping()).toString());
  const sink = new PassThrough(), shown = text(sink);
  const [ended] = await docker.run('busybox:test', ['sh', '-c', 'echo out; exit 3'], sink, {name, Labels: labels, Tty: true});
  sink.end();
  console.log('run', ended.StatusCode, await shown);
  await docker.getContainer(name).remove();

  const network = await docker.createNetwork({Name: name, Labels: labels});
  const volume = await docker.createVolume({Name: name, Labels: labels});
  const container = await docker.createContainer({
    Image: 'busybox:test', name, Labels: labels, Cmd: ['sh', '-c', 'echo one; sleep 300'],
    ExposedPorts: {'80/tcp': {}},
    HostConfig: {
      Binds: [`${name}:/data`], Memory: 64 << 20, CapDrop: ['NET_RAW'],
      PortBindings: {'80/tcp': [{HostIp: '127.0.0.1', HostPort: ''}]},
      RestartPolicy: {Name: 'on-failure', MaximumRetryCount: 1},
    },
  });
  await container.start();
  await network.connect({Container: container.id});
  // Both of Docker's hijacks: with an upgrade, where bytes go both ways, and the raw 200 without one.
  const typed = await container.exec({Cmd: ['sh', '-c', 'cat; echo err >&2; exit 6'], AttachStdin: true, AttachStdout: true, AttachStderr: true});
  const duplex = await typed.start({hijack: true, stdin: true});
  const said = both(duplex);
  duplex.write('typed\n');
  duplex.end();
  console.log('exec hijacked', await said, (await typed.inspect()).ExitCode);
  const plain = await container.exec({Cmd: ['sh', '-c', 'echo out; echo err >&2'], AttachStdout: true, AttachStderr: true});
  console.log('exec raw', await both(await plain.start({})), (await plain.inspect()).ExitCode);
  console.log('logs', (await container.logs({stdout: true, stderr: true})).toString('latin1').slice(8));
  console.log('top', (await container.top()).Processes.map((row) => row[row.length - 1]));
  await container.update({Memory: 80 << 20, MemorySwap: -1});
  console.log('inspect', (await container.inspect()).HostConfig.Memory);
  await container.stop({t: 0});
  console.log('wait', (await container.wait()).StatusCode);
  await container.remove({force: true, v: true});
  await network.remove();
  await volume.remove();
  try {
    await docker.getContainer(`${name}-never`).inspect();
  } catch (error) {
    console.log('not found', error.statusCode, error.json && error.json.message);
  }
}

main().catch((error) => { console.error(error.message); process.exit(1); });
