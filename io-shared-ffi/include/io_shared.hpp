// io-shared for C++17 and later: typed zero-copy hand-over of the latest value between processes
// through shared memory. Headers only, over the C library (-lio_shared_ffi).
//
//     #include <io_shared.hpp>
//
//     struct Point {
//       float x, y, z;
//     };
//     IO_SHARED_MESSAGE(Point, x, y, z);
//
//     struct Cloud {  // the fields before the points
//       std::uint64_t frame;
//     };
//     IO_SHARED_MESSAGE(Cloud, frame);
//     IO_SHARED_TAIL(Cloud, points, Point);
//
//     // One program:
//     io_shared::producer<Cloud> clouds("/clouds");
//     clouds.put({1}, std::vector<Point>(120'000));
//
//     // Another program:
//     io_shared::consumer<Cloud> viewer("/clouds");
//     auto cloud = viewer.get();  // cloud->frame, cloud.points()
//
// docs/guide/cpp.md shows more. Failures are exceptions, or results without them: error.hpp.

#ifndef IO_SHARED_HPP
#define IO_SHARED_HPP

#include "io_shared/consumer.hpp"
#include "io_shared/mmap.hpp"
#include "io_shared/observer.hpp"
#include "io_shared/producer.hpp"
#include "io_shared/service.hpp"
#include "io_shared/state.hpp"

#endif
