// Reads the next Imu of a channel, by the fields of the header that `io-shared info --schema c`
// made of the channel's type: imu CHANNEL.

#include <stdio.h>

#include "imu.h"
#include "io_shared.h"

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  ios_options options;
  ios_options_init(&options, sizeof options);
  options.name = argv[1];
  ios_consumer *consumer;
  ios_value value;
  if (ios_consumer_open(&options, &consumer) != IOS_OK ||
      ios_consumer_get(consumer, 10000000000, &value) != IOS_OK) {
    fprintf(stderr, "imu: %s\n", ios_last_error());
    return 1;
  }
  if (value.length != sizeof(Imu)) return 1;
  const Imu *imu = value.data;
  printf("%.64s %u.%09u %g %g %g %g\n", (const char *)imu->header.frame_id, imu->header.stamp.sec,
         imu->header.stamp.nanosec, imu->orientation.w, imu->angular_velocity.y,
         imu->linear_acceleration.z, imu->linear_acceleration_covariance[8]);
  ios_guard_drop(value.guard);
  ios_consumer_close(consumer);
  return 0;
}
