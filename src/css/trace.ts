/** Events of the channel subsystem; those that QEMU has have its names. */

import { declareEvents } from '../trace/trace.ts';

const device = ['cssid:x1', 'ssid:x1', 'devno:x4'];
const subchannel = ['cssid:x1', 'ssid:x1', 'schid:x4'];

export const cssTrace = declareEvents({
  // Devices and what software is told of them
  css_new_image: ['cssid:x1'],
  css_chpid_add: ['cssid:x1', 'chpid:x2', 'type:x2'],
  css_assign_subch: ['assigned', ...subchannel, 'devno:x4'],
  css_crw: ['word:x8'],
  css_enable_facility: ['facility'],
  // What CPUs ask for
  ioinst_sch_id: ['insn', ...subchannel, 'cc'],
  ioinst_chp_id: ['insn', 'cssid:x1', 'chpid:x2', 'cc'],
  ioinst_chsc_cmd: ['cmd:x4', 'len:x4', 'response:x4'],
  ioinst: ['insn', 'value:x8'],
  // What becomes of it
  css_start: [...subchannel, 'orb_program:x8', 'format', 'key'],
  css_halt: subchannel,
  css_clear: subchannel,
  css_resume: subchannel,
  css_suspend: [...subchannel, 'ccw:x8'],
  css_ccw: [...subchannel, 'at:x8', 'cmd:x2', 'flags:x2', 'count', 'data:x8'],
  css_ccw_end: [...subchannel, 'dstat:x2', 'cstat:x2', 'residual'],
  css_end: [...subchannel, 'how', 'dstat:x2', 'cstat:x2'],
  css_status: [...device, 'dstat:x2'],
  css_io_interrupt: [...subchannel, 'scsw:x8'],
  css_adapter_interrupt: ['isc'],
});
