//! What the author of a function can do about an exception that tells of what
//! is around the function.

use domain::Text;
use domain::manifest::BaseImage;
use domain::task::TaskError;

/// The error of a function on the image `here`, with what brings a module where
/// one is missing.
#[must_use]
pub(crate) fn remedied(mut error: TaskError, here: BaseImage) -> TaskError {
    if error.exception.as_deref() != Some("ModuleNotFoundError") {
        return error;
    }
    // The interpreter's own sentence, not one that a function raised.
    let Some(module) = error
        .message
        .en
        .strip_prefix("No module named '")
        .and_then(|rest| rest.strip_suffix('\''))
        .map(str::to_owned)
    else {
        return error;
    };
    let remedy = match BaseImage::with_module(&module)
        .filter(|image| image.requirements().len() > here.requirements().len())
    {
        Some(image) => Text::new(
            format!("; {here} does not have it, `base_image: {image}` has"),
            format!(" ; {here} ne l’a pas, `base_image: {image}` l’a"),
        ),
        None => Text::new(
            format!(
                "; neither {here} nor the packages asked for have it: list its package under \
                 `dependencies.packages`, or under `requirements` of code that is not deployed"
            ),
            format!(
                " ; ni {here} ni les paquets demandés ne l’ont : listez son paquet sous \
                 `dependencies.packages`, ou sous `requirements` pour du code non déployé"
            ),
        ),
    };
    error.message.en += &remedy.en;
    error.message.fr += &remedy.fr;
    error
}

#[cfg(test)]
mod tests {
    use domain::task::ErrorKind;

    use super::*;

    fn told(exception: &str, message: &str, image: BaseImage) -> Text {
        let error = TaskError {
            exception: Some(exception.to_owned()),
            ..TaskError::new(ErrorKind::UserError, Text::same(message))
        };
        remedied(error, image).message
    }

    #[test]
    fn a_missing_module_is_told_with_what_brings_it() {
        let numpy = "No module named 'numpy.linalg'";
        let text = told("ModuleNotFoundError", numpy, BaseImage::Base);
        assert_eq!(
            text.en,
            "No module named 'numpy.linalg'; python-base does not have it, \
             `base_image: python-scientific` has"
        );
        assert!(text.fr.ends_with("python-base ne l’a pas, `base_image: python-scientific` l’a"));
        let text = told("ModuleNotFoundError", "No module named 'rainflow'", BaseImage::Cfd);
        assert!(text.en.contains("list its package under `dependencies.packages`"), "{}", text.en);
        assert!(text.fr.contains("listez son paquet sous `dependencies.packages`"));
        for (exception, message, image) in [
            ("ModuleNotFoundError", "no table", BaseImage::Base),
            ("KeyError", numpy, BaseImage::Base),
        ] {
            assert_eq!(told(exception, message, image).en, message);
        }
    }
}
