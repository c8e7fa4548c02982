/** Requests to virtio devices from Debian's Linux, and what a guest costs that has them and does nothing. */
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { debianGuest, kernelModules } from '../guest/image.ts';
import { file } from '../guest/tree.ts';
import { linuxProgram } from './compile.ts';
import { inTurns, type Plan } from './measure.ts';
import { capture } from './peers.ts';
import { print, Series } from './report.ts';

const DISK = 64 * 0x100000;
const IDLE_SECONDS = 10;
const modules = ['virtio_blk', 'virtio-rng'];

const script = `#!/bin/sh
for name in ${modules.join(' ')}; do insmod /usr/lib/lpar/$name.ko; done
port=$(basename $(dirname $(grep -l bench.port /sys/class/virtio-ports/*/name)))
/usr/bin/rates /dev/$port
sleep 2
echo idle from now
sleep ${IDLE_SECONDS}
echo idle until now
`;

/**
 * How often per second a program gets random numbers (64 bytes), reads and writes of a disk (4 KiB, past the cache of the
 * guest), and round trips of a byte to the other end of a port, at first and after 2 s of it; and the part of a host CPU that
 * an idle guest uses.
 */
export async function measureIo(plan: Plan): Promise<void> {
  const rates = ['random', 'reads', 'writes', 'roundtrips'];
  const peers = plan.peers.filter(({ processors }) => processors);
  const files = [
    ...(await kernelModules(modules)),
    file('usr/bin/rates', await readFile(await linuxProgram('rates')), 0o755),
    file('usr/bin/io', script, 0o755),
  ];
  const guest = await debianGuest({ files });
  const disk = join(plan.folder, 'disk');
  await writeFile(disk, '');
  await truncate(disk, DISK);
  // Sends back what it gets.
  const echo = createServer(socket => void socket.on('error', () => {}).pipe(socket));
  const path = join(plan.folder, 'port');
  await new Promise<void>(resolve => void echo.listen(path, resolve));
  const devices = [
    ...['-drive', `if=none,id=disk,format=raw,file=${disk}`, '-device', 'virtio-blk,drive=disk'],
    ...['-device', 'virtio-rng', '-device', 'virtio-serial'],
    ...['-chardev', `socket,id=port,path=${path}`, '-device', 'virtserialport,chardev=port,name=bench.port'],
  ];
  const series = new Series(peers);
  const kinds = rates.flatMap(name => [`rate ${name}`, `warm ${name}`]);
  const patterns = [...kinds.map(kind => new RegExp(`${kind} (\\d+) (\\d+)`)), /idle from/, /idle until/];
  try {
    await inTurns({ ...plan, peers }, 'devices', async peer => {
      const command = await peer.linux({ ...guest, append: '-- /usr/bin/io', devices }, plan.folder);
      const { output, seen, used } = await capture(command, patterns, 300);
      for (const [n, kind] of kinds.entries()) {
        const [, count, microseconds] = patterns[n]!.exec(output)!;
        series.add(kind, peer, (Number(count) / Number(microseconds)) * 1000);
      }
      const [from, until] = [kinds.length, kinds.length + 1];
      if (used[from] === undefined || used[until] === undefined) return;
      series.add('idle', peer, ((used[until] - used[from]) / (seen[until]! - seen[from]!)) * 100);
    });
  } finally {
    echo.close();
  }
  const names = ['random numbers', 'disk reads', 'disk writes', 'round trips of a port'];
  print([
    ['devices', ...series.head()],
    ...rates.map((name, n) => [`${names[n]}, 1000/s`, ...series.row(`rate ${name}`, true)]),
    ...rates.map((name, n) => [`${names[n]} after 2 s`, ...series.row(`warm ${name}`, true)]),
    ['idle, % of a host CPU', ...series.row('idle')],
  ]);
}
