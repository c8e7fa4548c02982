/** Events of virtio devices; those that QEMU has have its names. */

import { declareEvents } from '../../trace/trace.ts';

export const virtioTrace = declareEvents({
  virtio_ccw_new_device: ['cssid:x1', 'ssid:x1', 'devno:x4', 'device'],
  virtio_ccw_interpret_ccw: ['cssid:x1', 'ssid:x1', 'devno:x4', 'cmd_code:x2'],
  virtio_ccw_set_ind: ['address:x1', 'bit:x2'],
  virtio_set_status: ['vdev', 'val:x2'],
  virtio_queue_notify: ['vdev', 'n'],
  virtio_notify: ['vdev', 'n'],
  virtqueue_pop: ['vdev', 'n', 'id', 'out_len', 'in_len'],
  virtqueue_fill: ['vdev', 'n', 'id', 'len'],
  virtio_rng_pushed: ['bytes'],
  virtio_blk_handle_read: ['sector', 'bytes'],
  virtio_blk_handle_write: ['sector', 'bytes'],
  virtio_blk_req_complete: ['status'],
});
