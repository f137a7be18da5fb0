//! What the template goes through ahead works, and changes no result.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, run, server_with};

const HANDLER: &str = "\
import importlib
import sys
import warnings

import numpy
import scipy.optimize

def calculate(inputs):
    exercises = sys.modules['mecapy_runner.exercises']
    if inputs['what'] == 'exercises':
        done = []
        for name, common in exercises.EXERCISES:
            common(numpy, importlib.import_module(name))
            done.append(name)
        return {'done': done}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        # Rehearsed, too, and there its warning is ignored.
        exercises.arrays(numpy, numpy)
        numpy.polyfit([1.0, 1.0], [1.0, 2.0], 1)
    return {
        'root': scipy.optimize.brentq(lambda x: x * x - 2.0, 0.0, 2.0),
        'polynomial': numpy.polyfit([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.5], 1).tolist(),
        'warned': [str(one.category.__name__) for one in caught],
        'drawn': numpy.random.random() == numpy.random.random(),
    }
";

#[test]
fn a_settled_template_has_exercised_its_libraries_and_gives_the_same_results() {
    let running = server_with(&[("MECAPY_STATIC_CHECK", "off")]);
    let archive = Archive::new("rehearsed", HANDLER)
        .set("runtime.base_image", json!("python-scientific"))
        .version("1.0.0");
    deploy(&running.client, &archive);
    let result = |what: &str| {
        let done = run(&running.client, "rehearsed", &json!({ "what": what }));
        assert_eq!(done["status"], "completed", "{done}");
        done["result"].clone()
    };
    let first = result("results");
    assert_eq!(first["warned"], json!(["RankWarning"]));
    assert_eq!(first["drawn"], json!(false));
    // After so many the template has settled, whoever is in a hurry.
    for _ in 0..80 {
        assert_eq!(result("results"), first);
    }
    let done = result("exercises")["done"].clone();
    assert_eq!(done.as_array().map(Vec::len), Some(10), "{done}");
}
