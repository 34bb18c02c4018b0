//! The types of a channel as a ROS 2 package, which builds with colcon.
//!
//! ROS 2 needs it to put what was recorded into topics (`ros2 bag play`). The types of several
//! channels are one package: each adds its files to `msg/`, and CMake takes all of these.

use std::path::Path;

use io_shared::Schema;
use io_shared_formats::{Definition, Recorded};

use crate::failure::Failure;
use crate::out::Out;

/// The package of all types.
const PACKAGE: &str = "io_shared_msgs";

const PACKAGE_XML: &str = "\
<?xml version=\"1.0\"?>
<package format=\"3\">
  <name>io_shared_msgs</name>
  <version>0.0.0</version>
  <description>The messages of io-shared channels</description>
  <maintainer email=\"nobody@localhost\">nobody</maintainer>
  <license>Unlicense</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export>
    <build_type>ament_cmake</build_type>
  </export>
</package>
";

const CMAKE: &str = "\
cmake_minimum_required(VERSION 3.12)
project(io_shared_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
file(GLOB messages RELATIVE \"${CMAKE_CURRENT_SOURCE_DIR}\" CONFIGURE_DEPENDS \"msg/*.msg\")
rosidl_generate_interfaces(${PROJECT_NAME} ${messages})
ament_export_dependencies(rosidl_default_runtime)
ament_package()
";

/// Writes the package, or adds to it.
pub(crate) fn write(schema: &Schema, folder: &Path, out: &mut Out) -> Result<(), Failure> {
    let shown = folder.display();
    let failed = |error| Failure::Failed(format!("cannot write to {shown}: {error}"));
    let about = folder.join("package.xml");
    let is_ours = match std::fs::read_to_string(&about) {
        Ok(text) => text.contains(&format!("<name>{PACKAGE}</name>")),
        Err(_) => std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none()),
    };
    if !is_ours {
        let text = format!("{shown} has other files: name a new folder, or a package {PACKAGE}");
        return Err(Failure::Failed(text));
    }
    let messages = folder.join("msg");
    std::fs::create_dir_all(&messages).map_err(failed)?;
    std::fs::write(about, PACKAGE_XML).map_err(failed)?;
    std::fs::write(folder.join("CMakeLists.txt"), CMAKE).map_err(failed)?;
    for (name, text) in definitions(schema).iter().flat_map(Definition::files) {
        std::fs::write(messages.join(name), text).map_err(failed)?;
    }
    out.line(format_args!("{shown} has the package {PACKAGE}: build it with colcon build"))?;
    Ok(())
}

/// The type as programs put it, and as recordings have it.
fn definitions(schema: &Schema) -> Vec<Definition> {
    let mut all = vec![Definition::of(schema), Recorded::whole(schema).definition()];
    if schema.root().shape().element.is_some() {
        // What comes before the points of a cloud.
        all.push(Recorded::head(schema).definition());
    }
    all
}
