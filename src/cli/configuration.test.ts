import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configure } from './configuration.ts';
import { help, parseOptions } from './options.ts';

const MIB = 0x100000;
const from = (line: string) => configure(parseOptions(line === '' ? [] : line.split(' ')));
const refuses = (line: string, message: string | RegExp) =>
  assert.throws(() => from(line), typeof message === 'string' ? { message } : { message });

/** Where consoles and monitors are, as `id=backend`. */
function fronts(line: string): string {
  const { chardevs, consoles, monitors } = from(line);
  const show = ({ chardev, kind }: { chardev: string; kind: string }) => {
    const { backend, mux } = chardevs.find(({ id }) => id === chardev)!;
    return `${kind}@${chardev}=${backend.kind}${mux ? '+mux' : ''}`;
  };
  return [...monitors, ...consoles].map(show).join(' ');
}

test('defaults', () => {
  const { memory, maxMemory, cpus, actions, paused, name, escapeCode } = from('');
  assert.deepEqual([memory, maxMemory, cpus, paused, name, escapeCode], [128 * MIB, 128 * MIB, 1, false, '', 1]);
  assert.deepEqual(actions, { reboot: 'reset', shutdown: 'poweroff', panic: 'shutdown', watchdog: 'reset' });
});

test('one or two dashes', () => {
  assert.equal(from('--m 1G').memory, 1024 * MIB);
  refuses('---m 1G', '---m: invalid option');
  refuses('-', '-: invalid option');
  refuses('-foo', '-foo: invalid option');
  refuses('--kernel', '--kernel: requires an argument');
});

test('storage', () => {
  assert.equal(from('-m 512').memory, 512 * MIB);
  assert.equal(from('-m 0').memory, 128 * MIB);
  assert.equal(from('-m size=1G,slots=2,maxmem=2G').maxMemory, 2048 * MIB);
  assert.equal(from('-m 512 -m maxmem=1G').memory, 512 * MIB);
  refuses('-m foo', /^-m foo: Parameter 'size' expects a size/);
  refuses('-m 1G,slots=3', '-m 1G,slots=3: slots specified but no max-size');
  refuses('-m 2052k', '-m 2052k: ram size must be multiples of 1 MiB');
  refuses('-m 1G,maxmem=512M', /^-m 1G,maxmem=512M: invalid value of maxmem/);
  refuses('-m 1G,foo=1', "-m 1G,foo=1: Invalid parameter 'foo'");
  refuses('-m 64G', /^-m 64G: no more than \d+M of storage is possible$/);
});

test('machine, accelerator, CPU', () => {
  const { loadparm, cpuModel, cpuFeatures } = from(
    '-M s390-ccw-virtio-7.2,accel=kvm:tcg,loadparm=abc -cpu z14,-vx,te=off,+dfp',
  );
  assert.equal(loadparm, 'ABC');
  assert.equal(cpuModel, 'z14');
  assert.deepEqual(Object.fromEntries(cpuFeatures), { vx: false, te: false, dfp: true });
  refuses('-M pc', /^-M pc: unsupported machine type/);
  refuses('-machine foo=1', /^-machine foo=1: unsupported|Property/);
  refuses('-M s390-ccw-virtio,foo=1', /Property 's390-ccw-virtio-machine.foo' not found/);
  refuses('-accel kvm', /^-accel kvm: invalid accelerator kvm/);
  refuses('-cpu max,vx=maybe', "-cpu max,vx=maybe: Parameter 'vx' expects 'on' or 'off'");
  assert.equal(from('-smp 1,sockets=1,cores=1').cpus, 1);
  refuses('-smp 249', "-smp 249: Invalid SMP CPUs 249. The max CPUs supported by machine 's390-ccw-virtio' is 248");
  refuses('-smp 0', /greater than zero/);
  refuses('-smp 2,maxcpus=1', /maxcpus must be equal to or greater than smp: .* == maxcpus \(1\) < smp_cpus \(2\)$/);
  refuses('-uuid foo', /^-uuid foo: not a UUID/);
  assert.equal(from('-name guest=a,debug-threads=on').name, 'a');
});

test('what the guest sees above it, standby storage, watchdog', () => {
  assert.equal(from('').view, 'kvm');
  assert.equal(from('-machine sysinfo=lpar').view, 'lpar');
  refuses('-machine sysinfo=vm', /^-machine sysinfo=vm: Parameter 'sysinfo' does not accept value 'vm'/);
  assert.equal(from('-m 1G -machine standby=1G').standbyMemory, 1024 * MIB);
  refuses('-m 1G -machine standby=1025', /must be multiples of 2 MiB/);
  assert.ok(from('').watchdog && !from('-nodefaults').watchdog);
  const { watchdog, actions } = from('-nodefaults -device diag288,id=w --watchdog-action inject-nmi');
  assert.ok(watchdog);
  assert.equal(actions.watchdog, 'inject-nmi');
  refuses('-watchdog-action bark', /^-watchdog-action bark: Parameter 'watchdog-action' does not accept/);
  refuses('-device diag288,foo=1', /Property 'diag288.foo' not found/);
});

test('the shape of the topology', () => {
  assert.deepEqual(from('-smp 4').shape, { drawers: 1, books: 1, sockets: 1, cores: 4 });
  assert.deepEqual(from('-smp 6,cores=3').shape, { drawers: 1, books: 1, sockets: 2, cores: 3 });
  refuses('-smp 6,drawers=2,cores=2', /product of the hierarchy must match maxcpus: drawers \(2\)/);
  refuses('-smp 4,threads=2', /threads are not supported/);
});

test('CPUs that are added', () => {
  const many = from(
    '-smp 1,maxcpus=8,books=2,sockets=2,cores=2 -device qemu-s390x-cpu,core-id=5 ' +
      '-device qemu-s390x-cpu,core-id=2,socket-id=1,book-id=1,drawer-id=0,dedicated=on',
  );
  assert.deepEqual([many.cpus, many.maximumCpus], [1, 8]);
  assert.deepEqual(many.cpuDevices, [
    { address: 5, place: { drawer: 0, book: 1, socket: 0, entitlement: 'medium', dedicated: false } },
    { address: 2, place: { drawer: 0, book: 1, socket: 1, entitlement: 'high', dedicated: true } },
  ]);
  const device = '-device qemu-s390x-cpu,core-id';
  refuses(`-smp 2,maxcpus=4 ${device}=4`, `${device}=4: Unable to add CPU with core-id: 4, maximum core-id: 3`);
  refuses(`-smp 2,maxcpus=4 ${device}=1`, `${device}=1: Unable to add CPU with core-id: 1, it already exists`);
  refuses(`-smp 1,maxcpus=4 ${device}=1,socket-id=0`, /define all or none of the topology/);
  refuses(`-smp 1,maxcpus=4 ${device}=1,socket-id=1,book-id=0,drawer-id=0`, /Unavailable socket: 1/);
  refuses(`-smp 1,maxcpus=4 ${device}=1,dedicated=on,entitlement=low`, /implies high entitlement/);
  refuses(`-cpu z14 -smp 1,maxcpus=4 ${device}=1`, /Invalid CPU type, expected cpu type: 'z14-s390x-cpu'/);
});

test('where console and monitor are', () => {
  assert.equal(fronts(''), 'readline@serial0=stdio+mux ascii@serial0=stdio+mux');
  assert.equal(fronts('-nographic'), 'readline@serial0=stdio+mux ascii@serial0=stdio+mux');
  assert.equal(fronts('-display none'), 'readline@compat_monitor0=vc ascii@serial0=vc');
  assert.equal(fronts('-serial stdio'), 'readline@compat_monitor0=vc ascii@serial0=stdio');
  assert.equal(fronts('-monitor stdio'), 'readline@compat_monitor0=stdio ascii@serial0=vc');
  assert.equal(fronts('-nographic -serial null'), 'readline@compat_monitor0=stdio ascii@serial0=null');
  assert.equal(fronts('-nographic -monitor none'), 'ascii@serial0=stdio');
  assert.equal(fronts('-display none -serial mon:stdio'), 'readline@serial0=stdio+mux ascii@serial0=stdio+mux');
  assert.equal(fronts('-nographic -nodefaults'), '');
  assert.equal(fronts('-nodefaults -serial none -monitor none'), '');
  assert.equal(fronts('-nodefaults -serial null -serial file:x'), 'ascii@serial0=null line@serial1=file');
  assert.equal(
    fronts('-nodefaults -chardev stdio,mux=on,id=c -device sclplmconsole,chardev=c -mon chardev=c'),
    'readline@c=stdio+mux line@c=stdio+mux',
  );
  assert.equal(fronts('-nodefaults -monitor vc -qmp null'), 'readline@compat_monitor0=vc control@compat_monitor1=null');
  assert.ok(from('-nodefaults -qmp-pretty null').monitors[0]!.pretty);
  assert.ok(from('-nodefaults -chardev null,id=a -mon a,mode=control,pretty=on').monitors[0]!.pretty);
  refuses('-chardev null,id=a -mon a,mode=foo', '-mon a,mode=foo: unknown monitor mode "foo"');
  refuses('-chardev null,id=a -mon a,pretty=on', "-mon a,pretty=on: 'pretty' is not compatible with HMP monitors");
  refuses('-nographic -serial stdio', '-serial stdio: cannot use stdio by multiple character devices');
  refuses('-chardev null,id=a -device sclpconsole,chardev=a', /Multiple VT220 operator consoles/);
  refuses('-nodefaults -chardev null,id=a -serial chardev:a -monitor chardev:a', /Device 'a' is in use/);
  refuses('-serial foo', "-serial foo: 'foo' is not a valid char driver");
  refuses('-serial chardev:x', '-serial chardev:x: chardev "x" not found');
  refuses('-device foo', "-device foo: 'foo' is not a valid device model name");
});

test('devices of the channel subsystem', () => {
  const [first, second] = from(
    `-nodefaults -device virtio-rng,id=a,devno=fe.0.0042,max-bytes=0x10 -device {"driver":"virtio-rng-ccw","packed":true}`,
  ).devices.map(({ configuration }) => configuration);
  assert.equal(first!.driver, 'virtio-rng-ccw');
  assert.deepEqual(first!.devno, { cssid: 0xfe, ssid: 0, number: 0x42 });
  assert.equal(first!.properties['max-bytes'], 16n);
  assert.equal(second!.properties.packed, true);
  const rng = '-device virtio-rng-ccw';
  refuses(`${rng},foo=1`, `${rng},foo=1: Property 'virtio-rng-ccw.foo' not found`);
  refuses(`${rng},devno=fe.0.3`, /: Property 'virtio-rng-ccw.devno' doesn't take value 'fe.0.3'$/);
  refuses(`${rng},devno=fe.5.0000`, /: Invalid cssid or ssid: cssid fe, ssid 5$/);
  refuses(`${rng},id=0a`, /: Parameter 'id' expects an identifier$/);
  refuses(`${rng},id=a ${rng},id=a`, /: Duplicate ID 'a' for device$/);
  refuses(`${rng},packed=maybe`, /: Parameter 'packed' expects 'on' or 'off'$/);
  refuses(`${rng},period=x`, /: Parameter 'period' expects integer$/);
  refuses(`${rng},max_revision=99999999999`, /: Parameter 'max_revision' expects uint32_t$/);
  refuses(`${rng},max_revision=99999999999999999999`, /: Parameter 'max_revision' expects integer$/);
  const disk = '-device virtio-blk-ccw';
  refuses(`${disk},rerror=often`, /: Parameter 'rerror' does not accept value 'often'$/);
  refuses(`${disk},min_io_size=1.5`, /: Parameter 'min_io_size' expects size$/);
  refuses(
    `${disk},min_io_size=4G`,
    /: Property virtio-blk-device\.min_io_size doesn't take value 4294967296 \(maximum: 4294967295\)$/,
  );
  refuses(`${disk},drive=none`, /: Property 'virtio-blk-device\.drive' can't find value 'none'$/);
  refuses(`${rng},rng=foo`, /: Device 'foo' not found$/);
  refuses('-device {"id":"a"}', /: Parameter 'driver' is missing$/);
  refuses('-device {"driver":5}', /: Parameter 'driver' is missing$/);
  refuses('-device {bad', /: JSON parse error, /);
  refuses('-device x-terminal3270,chardev=x', /: Property 'x-terminal3270.chardev' can't find value 'x'$/);
  for (const other of ['-device x-terminal3270,chardev=c', '-device sclpconsole,chardev=c', '-mon chardev=c']) {
    refuses(
      `-nodefaults -chardev null,id=c ${other} -device x-terminal3270,chardev=c`,
      /: Property 'x-terminal3270.chardev' can't take value 'c': Device 'c' is in use$/,
    );
  }
});

test('defaults that -global gives', () => {
  const device = (line: string) => from(`-nodefaults ${line}`).devices[0]!.configuration.properties;
  const all = '-global virtio-rng-ccw.max-bytes=16 -global driver=virtio-rng-device,property=packed,value=on';
  assert.deepEqual(
    [device(`${all} -device virtio-rng`)['max-bytes'], device(`${all} -device virtio-rng`).packed],
    [16n, true],
  );
  assert.equal(device(`${all} -device virtio-rng-ccw,max-bytes=7`)['max-bytes'], 7n);
  assert.equal(device('-global virtio-rng-ccw.max-bytes=1 -device virtio-serial-ccw')['max-bytes'], undefined);
  assert.deepEqual(from('-global foo.bar=1').warnings, ['warning: global foo.bar has invalid class name']);
  refuses('-global foo', "-global foo: Invalid parameter 'foo'");
  refuses('-global driver=a,value=b', /: options must have a driver, a property and a value$/);
  refuses(
    '-global virtio-rng-ccw.foo=1 -device virtio-rng-ccw',
    "-device virtio-rng-ccw: can't apply global virtio-rng-ccw.foo=1: Property 'virtio-rng-ccw.foo' not found",
  );
});

test('character devices', () => {
  const device = (line: string) => from(`-nodefaults ${line}`).chardevs[0]!.backend;
  const socket = {
    kind: 'socket',
    server: true,
    wait: false,
    telnet: false,
    tn3270: false,
    nodelay: false,
    reconnect: 0,
  };
  const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port });
  assert.deepEqual(device('-serial tcp::4444,server,nowait'), { ...socket, address: tcp('', 4444) });
  assert.deepEqual(device('-serial tcp:[::1]:4444,server=on,wait=off'), { ...socket, address: tcp('::1', 4444) });
  assert.deepEqual(device('-serial telnet:h:1,server=on'), {
    ...socket,
    wait: true,
    telnet: true,
    address: tcp('h', 1),
  });
  assert.deepEqual(device('-chardev socket,id=a,path=/x,server=on,wait=off'), {
    ...socket,
    address: { kind: 'unix', path: '/x' },
  });
  assert.deepEqual(device('-gdb tcp::1234'), { ...socket, nodelay: true, address: tcp('', 1234) });
  assert.deepEqual(device('-chardev file,id=a,path=x,append=on'), { kind: 'file', path: 'x', append: true });
  assert.deepEqual(device('-serial mon:stdio'), { kind: 'stdio', signals: false });
  assert.deepEqual(device('-serial stdio'), { kind: 'stdio', signals: true });
  refuses('-chardev null', '-chardev null: chardev: no id specified');
  refuses('-chardev null,id=1', "-chardev null,id=1: Parameter 'id' expects an identifier");
  refuses('-chardev foo,id=a', "-chardev foo,id=a: 'foo' is not a valid char driver name");
  refuses('-chardev file,id=a', '-chardev file,id=a: chardev: file: no filename given');
  refuses('-chardev null,id=a -chardev null,id=a', "-chardev null,id=a: Duplicate ID 'a' for chardev");
  refuses('-chardev null,id=a,foo=1', "-chardev null,id=a,foo=1: Invalid parameter 'foo'");
  refuses('-chardev socket,id=a,host=x', '-chardev socket,id=a,host=x: chardev: socket: no port given');
  const terminal = '-chardev socket,id=ch0,host=0.0.0.0,port=2300,wait=off,server=on,tn3270=on';
  assert.deepEqual(device(terminal), { ...socket, tn3270: true, address: tcp('0.0.0.0', 2300) });
  refuses(`${terminal},telnet=on`, /'tn3270' option is incompatible with 'telnet'$/);
  refuses(`${terminal},mux=on`, /'tn3270' option is incompatible with 'mux'$/);
  refuses('-chardev socket,id=a,host=x,port=1,tn3270=on', /'tn3270' option is incompatible with a client$/);
  refuses('-chardev null,id=a,tn3270=on', /Invalid parameter 'tn3270'$/);
  refuses(`${terminal} -serial chardev:ch0`, "-serial chardev:ch0: Device 'ch0' is for a 3270 terminal (tn3270=on)");
  refuses('-gdb foo', "-gdb foo: 'foo' is not a valid char driver");
  refuses('-monitor tcp:foo', "-monitor tcp:foo: 'foo' is not HOST:PORT");
});

test('actions', () => {
  const { actions } = from('-no-reboot -no-shutdown -action panic=exit-failure,watchdog=none');
  assert.deepEqual(actions, { reboot: 'shutdown', shutdown: 'pause', panic: 'exit-failure', watchdog: 'none' });
  refuses('-action reboot=foo', /^-action reboot=foo: Parameter 'reboot' does not accept value 'foo'/);
  refuses('-action foo=x', "-action foo=x: Invalid parameter 'foo'");
});

test('what to load', () => {
  const { kernel, initrd, append } = from('-kernel k -initrd i -append root=/dev/ram0');
  assert.deepEqual([kernel, initrd, append], ['k', 'i', 'root=/dev/ram0']);
  refuses('-append x', '-append only allowed with -kernel option');
  refuses('-initrd x', '-initrd only allowed with -kernel option');
  refuses('disk.img', /^disk.img: /);
});

test('log items', () => {
  assert.deepEqual([...from('-d int,nochain -d unimp').log], ['int', 'unimp']);
  refuses('-d foo', /^-d foo: there is no log item 'foo'/);
});

test('the help is narrow', () => {
  for (const line of help().split('\n')) assert.ok(line.length <= 80 || !line.includes(' '.repeat(16)), line);
});
